"""What exists: models, tokenizers, ways to quantize, languages. Each is a row of a file under data/."""
