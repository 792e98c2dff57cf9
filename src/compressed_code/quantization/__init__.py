"""Make a smaller model: one interface over our own methods, llama.cpp's types and five libraries (notebook 03).

engine                    the interface: a model and a row of settings in, a folder that transformers opens out
methods                   how the codes of a matrix are chosen, ours and the libraries'
gguf                      llama.cpp's types and its file
calibration               the text a calibrated method sees
parent, storage, record   the model that is quantized, the folder that is written, what stands beside its weights
variants                  the variants of the registry, made once
"""
