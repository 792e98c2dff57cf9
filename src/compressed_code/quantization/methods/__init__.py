"""How a quantizer chooses codes: `gptq` and `round_to_nearest` are ours, libraries stand behind the same interface."""
