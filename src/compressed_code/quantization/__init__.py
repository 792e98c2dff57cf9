"""Make a smaller model: one interface over our own methods, llama.cpp's types and five libraries (notebook 03).

engine                    the interface: a model and a row of settings in, a folder that transformers opens out
methods                   how the codes of a matrix are chosen, ours and the libraries'
gguf                      llama.cpp's types and its file
calibration, own_text     the text a calibrated method sees; what a model writes itself is kept
base_checkpoint           the model that is quantized
storage, record           the folder that is written, what stands beside its weights
quantized                 the same for a caller: by name, with calibration text of the caller's own
variants                  the variants of the registry, made once
"""

from compressed_code.quantization.engine import variant, write_variant
from compressed_code.quantization.quantized import Calibration, Quantized, quantize
from compressed_code.quantization.record import read_record

__all__ = ["Calibration", "Quantized", "quantize", "read_record", "variant", "write_variant"]
