from __future__ import annotations

from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

from mkbench.backbones.building import build_random, build_with_weights
from mkbench.backbones.weights import fit_state, read_state

SMALL = "ViT-S-32-alt"


def test_pickled_tensors_are_read_without_running_code(tmp_path: Path) -> None:
    torch.save({"state_dict": {"module.w": torch.ones(2).half(), "module.n": torch.tensor(3)}}, tmp_path / "w.pt")
    state = read_state(tmp_path / "w.pt")
    assert {name: (tensor.dtype, tensor.tolist()) for name, tensor in state.items()} == {
        "w": (torch.float32, [1.0, 1.0]),
        "n": (torch.int64, 3),
    }


def test_a_file_gives_what_open_clip_itself_reads(tmp_path: Path) -> None:
    state = build_random(SMALL, seed=3).state_dict()
    state["logit_scale"] = state["logit_scale"].reshape(1)  # as some checkpoints hold it
    save_file(state, tmp_path / "w.safetensors")
    expected = open_clip.create_model(SMALL, pretrained=str(tmp_path / "w.safetensors")).state_dict()
    found = build_with_weights(SMALL, tmp_path / "w.safetensors").state_dict()
    assert list(found) == list(expected)
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name


def test_names_of_models_without_a_text_module_are_translated() -> None:
    plain = build_random(SMALL, seed=1)
    config = open_clip.get_model_config(SMALL)
    custom = open_clip.CustomTextCLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    fitted = fit_state(plain.state_dict(), custom)
    assert set(fitted) == set(custom.state_dict())
    custom.load_state_dict(fitted)
    tokens = open_clip.tokenize(["a cat"])
    with torch.no_grad():
        torch.testing.assert_close(custom.eval().encode_text(tokens), plain.eval().encode_text(tokens))


def test_a_longer_context_is_interpolated() -> None:
    model = build_random(SMALL)
    state = model.state_dict()
    state["positional_embedding"] = torch.linspace(0, 1, 39)[:, None].expand(39, 256).clone()
    fitted = fit_state(state, model)["positional_embedding"]
    assert fitted.shape == (77, 256)
    assert bool((fitted.diff(dim=0) >= 0).all())


def test_the_bias_of_a_sigmoid_starts_at_zero() -> None:
    config = open_clip.get_model_config(SMALL)
    model = open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"], init_logit_bias=-10)
    state = {name: tensor for name, tensor in model.state_dict().items() if name != "logit_bias"}
    assert fit_state(state, model)["logit_bias"] == 0
