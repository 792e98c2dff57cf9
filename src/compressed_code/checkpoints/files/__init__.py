"""Containers of tensors: safetensors and GGUF files, mapped from disk or read from a server in ranges."""
