import open_clip
import pytest

from mkbench.datamodules.critters_captions import CAPTION_TEMPLATES, DESCRIPTOR_TEMPLATES
from mkbench.datamodules.critters_vocabulary import MERGES, corpus_words, learn_merges, write_vocabulary
from mkbench.datamodules.critters_world import load_world


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.bpe.gz"
    return path, write_vocabulary(path)


@pytest.fixture(scope="module")
def tokenizer(written):
    return open_clip.SimpleTokenizer(bpe_path=str(written[0]), context_length=32)


def test_merges_of_a_toy_corpus():
    # Words: low x3, lower x1, new x2, with the end mark </w> (here _).
    # Pairs: (l,o) 4, (o,w_) 3, (o,w) 1, (w,e) 1, (e,r_) 1, (n,e) 2, (e,w_) 2 -> lo.
    # Then (lo,w_) 3, (n,e) 2, (e,w_) 2, (lo,w) 1, (w,e) 1, (e,r_) 1 -> low_.
    # Then (e,w_) and (n,e) tie at 2: e before n -> ew_; then (n,ew_) 2 -> new_.
    # What remains is lo w e r_: (e,r_), (lo,w), (w,e) tie at 1 -> er_; then (lo,w), (w,er_) tie -> low; then lower_.
    words = ["low", "low", "low", "lower", "new", "new"]
    expected = [
        ("l", "o"),
        ("lo", "w</w>"),
        ("e", "w</w>"),
        ("n", "ew</w>"),
        ("e", "r</w>"),
        ("lo", "w"),
        ("low", "er</w>"),
    ]
    assert learn_merges(words, 100) == expected
    assert learn_merges(words, 3) == expected[:3]


def test_repeated_letters_are_joined_from_the_left():
    # a a a a_ : (a,a) twice, (a,a_) once -> aa; then aa a a_ is (aa,a) and (a,a_): a before aa -> aa_; then aa aa_.
    assert learn_merges(["aaaa"], 9) == [("a", "a"), ("a", "a</w>"), ("aa", "aa</w>")]


def test_no_words():
    assert learn_merges([], 5) == []


def test_size_is_that_of_the_tokenizer(written, tokenizer):
    merges = learn_merges(corpus_words(), MERGES)
    assert written[1] == tokenizer.vocab_size == 514 + len(merges)


def test_writing_twice_gives_equal_bytes(written, tmp_path):
    write_vocabulary(tmp_path / "again.bpe.gz")
    assert (tmp_path / "again.bpe.gz").read_bytes() == written[0].read_bytes()


def test_every_word_of_the_corpus_is_one_token(tokenizer):
    assert {word for word in set(corpus_words()) if len(tokenizer.encode(word)) != 1} == set()
    assert len({tuple(tokenizer.encode(name)) for name in load_world().class_names}) == 32


def test_round_trip(tokenizer):
    world = load_world()
    texts = [entry.text for entry in world.descriptors]
    texts += [template.format(name) for name in world.class_names for template in CAPTION_TEMPLATES]
    texts += [template.format(texts[0]) for template in DESCRIPTOR_TEMPLATES]
    assert [tokenizer.decode(tokenizer.encode(text)).strip() for text in texts] == [text.lower() for text in texts]


def test_no_caption_is_cut_short(tokenizer):
    longest = max((entry.text for entry in load_world().descriptors), key=lambda text: len(tokenizer.encode(text)))
    captions = [template.format(longest) for template in DESCRIPTOR_TEMPLATES]
    assert max(len(tokenizer.encode(caption)) for caption in captions) + 2 <= 32  # start and end take two places
