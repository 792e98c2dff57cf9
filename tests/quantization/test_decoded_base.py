"""What quantizing refuses to start from."""

import pytest

from compressed_code.core.errors import InputError
from compressed_code.quantization.decoded_base import plain_base


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (["adapter_config.json"], "an adapter, which is no model by itself; merge it"),
        (["config.json", "adapter_config.json"], "beside a model: remove it if it is merged"),
        ([], "holds no config.json and no GGUF file"),
        (["a.gguf"], "name one of its 1 GGUF files"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_named_with_its_remedy(tmp_path, files, problem):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=problem), plain_base(tmp_path):
        pass


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"), plain_base(tmp_path / "absent"):
        pass
