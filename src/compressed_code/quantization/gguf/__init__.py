"""Quantize models to llama.cpp's types on a CPU: block quantizers, mixtures of types, and the GGUF writer.

writer                    a checkpoint folder as one GGUF file
tensor_types              which tensor gets which type
tokenizer, metadata       tokenizer and config as metadata
rows                      rows of a matrix as bytes of any type
k_types                   the K types, in numpy
scale_search              the searches for scales they are made of
"""

from compressed_code.quantization.gguf.rows import quantize_rows
from compressed_code.quantization.gguf.tensor_types import MIXTURES, MixedModel, tensor_type
from compressed_code.quantization.gguf.writer import write_gguf

__all__ = ["MIXTURES", "MixedModel", "quantize_rows", "tensor_type", "write_gguf"]
