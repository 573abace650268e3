"""Head contributions of a class group: one safetensors file, written whole and read in parts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError, MkbenchError
from mkbench.heads.contributions import HeadContributions
from mkbench.runs.run_folder import CONTRIBUTIONS
from mkbench.text_files import parse_json

SCHEMA_VERSION = 1
#: The terms that are kept.
TERMS = ("heads", "mlp", "initial", "rest", "constant", "embedding")
_META_KEY = "mkbench"


def contributions_path(run: Path, key: str) -> Path:
    """Return where the contributions of a class group lie.

    >>> contributions_path(Path("runs"), "00007-000").as_posix()
    'runs/contributions/00007-000.safetensors'
    """
    return run / CONTRIBUTIONS / f"{key}.safetensors"


def write_contributions(
    run: Path,
    key: str,
    terms: HeadContributions,
    sample_ids: Sequence[str],
    *,
    fingerprint: str,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write the contributions of a class group; the file appears whole or not at all.

    What each head takes from each token (``attention``) is not kept.

    Args:
        run: folder of the run.
        key: name of the group.
        terms: of its B images; summed over tokens if they tell them apart.
        sample_ids: the B images.
        fingerprint: of the model.
        dtype: float32, or float16 for half the space and three digits.

    Raises:
        ValueError: for another number of sample ids than images.
        MkbenchError: a number too large for the precision.
        OSError: the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> heads, mlp, rows = torch.ones(2, 1, 4, 3), torch.ones(2, 5, 3), torch.ones(2, 3)
        >>> terms = HeadContributions(heads, mlp, rows, rows, rows, rows, torch.ones(2, 1, 4, 0), layers=(9,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Path(folder)
        ...     _ = write_contributions(run, "00007-000", terms, ["owl/1.png", "owl/2.png"], fingerprint="f")
        ...     read_shape(run, "00007-000", ["owl/1.png", "owl/2.png"], fingerprint="f", layers=[9])
        (2, 1, 4, 3)
    """
    if len(sample_ids) != len(terms.embedding):
        raise ValueError(f"Expected a sample id for each of {len(terms.embedding)} images, got {len(sample_ids)}.")
    values = {name: getattr(terms, name) for name in TERMS} | {"heads": terms.head_sums()}
    tensors = {name: value.detach().to("cpu", dtype, copy=True).contiguous() for name, value in values.items()}
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise MkbenchError(
            f"Expected contributions that {dtype} can hold, found larger ones in the group {key}; keep them with "
            "--model.stored_as fp32."
        )
    meta = _describe(key, fingerprint, terms.layers, sample_ids) | {"shape": list(tensors["heads"].shape)}
    path = contributions_path(run, key)
    with written_whole(path) as temporary:
        # Not safetensors' own file: of a full disk it makes an error that is no OSError.
        temporary.write_bytes(save(tensors, metadata={_META_KEY: json.dumps(meta)}))
    return path


def _describe(key: str, fingerprint: str, layers: Sequence[int], sample_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "key": key,
        "fingerprint": fingerprint,
        "layers": list(layers),
        "sample_ids": list(sample_ids),
    }


def read_shape(
    run: Path, key: str, sample_ids: Sequence[str], *, fingerprint: str, layers: Sequence[int]
) -> tuple[int, ...]:
    """Check that the contributions of a class group are there, whole, and those of a model's layers for some images.

    Args:
        run: folder of the run.
        key: name of the group.
        sample_ids: its images.
        fingerprint: of the model.
        layers: numbers of the L layers.

    Returns:
        (B, L, H, d).

    Raises:
        DataError: they are not.
    """
    path = contributions_path(run, key)
    if not path.is_file():  # a named pipe would not end
        raise _broken(path, "none that can be read (no file)")
    try:
        with safe_open(path, framework="pt") as file:
            said = parse_json((file.metadata() or {})[_META_KEY])
            shape = tuple(file.get_slice("heads").get_shape())
            names = set(file.keys())
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(path, f"none that can be read ({error})") from error
    wanted = _describe(key, fingerprint, layers, sample_ids)
    other = [name for name, value in wanted.items() if said.get(name) != value]
    if other or names != set(TERMS) or shape[:2] != (len(sample_ids), len(layers)):
        raise _broken(path, f"those of another run (other {', '.join(other) or 'tensors'})")
    return shape


def _broken(path: Path, found: str) -> DataError:
    return DataError(
        f"Expected the contributions of a class group at {path}, found {found}; run `mkbench predict` again, which "
        "computes them anew."
    )


def read_terms(path: Path) -> dict[str, Tensor]:
    """Return all terms of the B images, as they are kept.

    Raises:
        DataError: the file is damaged or gone.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in TERMS}
    except (SafetensorError, OSError) as error:
        raise _broken(path, f"none that can be read ({error})") from error


def read_layer(path: Path, place: int) -> tuple[Tensor, Tensor]:
    """Return what the heads of a layer add (B, H, d), and the embeddings (B, d), both in float32.

    Raises:
        DataError: the file is damaged or gone.
    """
    try:
        with safe_open(path, framework="pt") as file:
            rows: Tensor = file.get_slice("heads")[:, place]
            embedding: Tensor = file.get_tensor("embedding")
            return rows.float(), embedding.float()
    except (SafetensorError, OSError) as error:
        raise _broken(path, f"none that can be read ({error})") from error
