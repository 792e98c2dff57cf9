"""What a measurement is of: a tokenizer, a model, a model that writes, a pair of models."""
