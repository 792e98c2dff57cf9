"""How a tokenizer encodes programming languages: open one of any format, then count (notebook 01)."""
