"""Start contexts: what transformers itself adds is the reference; nothing is substituted silently."""

import json

import gguf
import numpy as np
import pytest
from transformers import AutoTokenizer

from compressed_code.core.errors import InputError, Unavailable
from compressed_code.models.start_contexts import CONTEXTS, start_context, start_ids
from storage_formats import finish
from tokenizers import Tokenizer, models, processors

VOCABULARY = {"<s>": 0, "</s>": 1, "<pad>": 2, "a": 3, "Ċ": 4, "Ġ": 5, "b": 6}


@pytest.fixture
def folder(tmp_path):
    """A checkpoint folder without weights; `make(adds, settings, config)` fills it."""

    def make(adds_bos=True, settings=None, config=None, vocabulary=VOCABULARY):
        tokenizer = Tokenizer(models.BPE(vocabulary, []))
        tokenizer.add_special_tokens([name for name in ("<s>", "</s>", "<pad>") if name in vocabulary])
        if adds_bos:
            tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
        from tokenizers import decoders

        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        settings = {"bos_token": "<s>", "eos_token": "</s>"} if settings is None else settings
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **settings}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        (tmp_path / "config.json").write_text(json.dumps(config or {"model_type": "llama"}))
        return tmp_path

    return make


def test_every_context_of_a_tokenizer_that_adds_bos(folder):
    path = folder()
    assert [start_ids(path, name) for name in CONTEXTS] == [(0,), (0,), (1,), (4,), (5,), (0,), ()]
    assert tuple(AutoTokenizer.from_pretrained(path)("")["input_ids"]) == start_ids(path, "document")
    assert "adds" in start_context(path, "document").origin


def test_without_an_added_bos_the_configuration_names_the_document_token(folder):
    path = folder(adds_bos=False, settings={"bos_token": None, "eos_token": "</s>"}, config={"bos_token_id": 2})
    assert AutoTokenizer.from_pretrained(path)("")["input_ids"] == []
    assert start_ids(path, "document") == (2,)
    assert "no BOS is added" in start_context(path, "document").origin
    with pytest.raises(Unavailable, match="has no BOS token"):
        start_context(path, "bos")


def test_without_any_bos_a_document_begins_after_the_end_of_another(folder):
    path = folder(adds_bos=False, settings={"bos_token": None, "eos_token": {"content": "</s>"}})
    assert start_ids(path, "document") == (1,)
    assert "there is no BOS" in start_context(path, "document").origin


def test_add_bos_token_decides_where_it_is_written(folder):
    path = folder(settings={"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": False})
    assert "no BOS" in start_context(path, "document").origin
    path = folder(adds_bos=False, settings={"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True})
    assert start_context(path, "document").ids == (0,)


def test_what_the_tokenizer_adds_is_what_transformers_adds(folder):
    """Nothing where it adds nothing, and all of it where that is more than one id (GLM)."""
    path = folder(adds_bos=False, config={"bos_token_id": 2})
    assert start_ids(path, "tokenizer") == () and start_ids(path, "document") == (2,)
    assert "adds nothing" in start_context(path, "tokenizer").origin
    path = folder(adds_bos=True)
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    special = [("<s>", 0), ("<pad>", 2), ("</s>", 1)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> <pad> $A </s>", special_tokens=special)
    tokenizer.save(str(path / "tokenizer.json"))
    assert AutoTokenizer.from_pretrained(path)("b")["input_ids"] == [*start_ids(path, "tokenizer"), 6, 1]
    assert start_ids(path, "tokenizer") == (0, 2)
    assert start_ids(path, "none") == ()


def test_what_is_not_there_is_named(folder):
    bare = {"<pad>": 0, "a": 1}
    path = folder(adds_bos=False, settings={}, vocabulary=bare)
    with pytest.raises(Unavailable, match="neither a BOS nor an end-of-text token"):
        start_context(path, "document")
    with pytest.raises(Unavailable, match="no token stands for a newline alone"):
        start_context(path, "newline")
    with pytest.raises(InputError, match="'paragraph' is not known; there are document, bos"):
        start_context(path, "paragraph")
    (path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer\.json: no valid tokenizer"):
        start_context(path, "eos")
    (path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json: holds no JSON object"):
        start_context(path, "eos")


def _write_gguf(path, adds):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["x", "<s>", "</s>"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if adds is not None:
        writer.add_add_bos_token(adds)
    writer.add_tensor("output.weight", np.ones((2, 4), np.float32))
    finish(writer)
    return path


@pytest.mark.parametrize(("adds", "said"), [(True, "which the tokenizer adds"), (False, "no BOS"), (None, "no BOS")])
def test_gguf_metadata(tmp_path, adds, said):
    path = _write_gguf(tmp_path / "model.gguf", adds)
    assert start_ids(path, "document") == start_ids(path, "bos") == (1,)
    assert start_ids(path, "eos") == (2,)
    assert start_ids(path, "tokenizer") == ((1,) if adds else ())
    assert said in start_context(path, "document").origin


def test_a_gguf_file_without_a_bos(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_eos_token_id(2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert "there is no BOS" in start_context(tmp_path / "model.gguf", "document").origin
    with pytest.raises(Unavailable, match="has no BOS token"):
        start_ids(tmp_path / "model.gguf", "bos")


def test_broken_gguf_files_are_one_line(tmp_path):
    """Cut anywhere, or with nonsense in place of eight bytes."""
    content = _write_gguf(tmp_path / "whole.gguf", True).read_bytes()
    path = tmp_path / "model.gguf"
    broken = [content[:length] for length in range(len(content))]
    broken += [content[:place] + b"\xff" * 8 + content[place + 8 :] for place in range(4, 24)]
    for part in broken:
        path.write_bytes(part)
        with pytest.raises(InputError) as caught:
            start_context(path, "document")
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
