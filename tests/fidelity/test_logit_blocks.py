"""How positions and vocabularies are cut for products, against what whole ones give."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compressed_code.fidelity.logit_blocks import block_rows, multiply, product_rows, products


@given(st.integers(0, 5000), st.sampled_from([50, 2600, 4096, 49_152, 256_000]))
def test_products_are_whole_blocks_of_nearly_equal_numbers(tokens, width):
    parts, rows, most = products(tokens, width), block_rows(width), product_rows(width)
    assert [position for part in parts for position in range(part.start, part.stop)] == [*range(tokens)]
    counts = [part.stop - part.start for part in parts]
    assert all(count % rows == 0 for count in counts[:-1])
    assert max(counts, default=0) <= most
    if most > rows:  # no product of a few positions, which reads the whole matrix all the same
        assert len(counts) == -(-tokens // most)
        assert max(counts, default=0) - min(counts, default=0) < rows * max(1, len(counts))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [50, 2047, 2049, 5000])
@pytest.mark.parametrize("rows", [1, 8, 100])
def test_a_part_of_the_vocabulary_at_a_time_gives_the_products_of_all_of_it(rows, width, dtype):
    generator = torch.Generator().manual_seed(width + rows)
    states, matrix = (torch.randn(count, 32, generator=generator, dtype=dtype) for count in (rows, width))
    out = torch.full((rows, width), torch.nan, dtype=dtype)
    multiply(states, matrix, out)
    torch.testing.assert_close(out, states @ matrix.T)
