from hypothesis import given
from hypothesis import strategies as st

from genline.core.seeds import derive_seed, numpy_generator


@given(st.integers(0, 2**63 - 1), st.lists(st.text(max_size=5), max_size=3))
def test_a_stream_is_named_by_the_seed_and_all_its_names(seed: int, names: list[str]) -> None:
    assert derive_seed(seed, *names) == derive_seed(seed, *names)
    assert 0 <= derive_seed(seed, *names) < 2**63
    assert derive_seed(seed, *names) != derive_seed(seed + 1, *names)
    assert derive_seed(seed, *names) != derive_seed(seed, *names, "more")


def test_streams_of_other_names_differ() -> None:
    first = numpy_generator(1, "train").random(100)
    second = numpy_generator(1, "test").random(100)
    assert abs(((first - 0.5) * (second - 0.5)).mean()) < 0.03
