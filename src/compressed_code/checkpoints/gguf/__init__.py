"""Models in GGUF files: what converters made of a Hugging Face checkpoint, seen as that checkpoint again."""
