"""transformers as a command imports it: without the quantization libraries that it loads wherever they are installed.

Its model code imports hqq and torchao at once where it finds them, which takes more than a second and 60 MB; no command
needs them there, since weights are decoded here. They are hidden while that code is imported, and only in a process
that runs one command or one notebook to its end: a session of the user's has all that is installed.
"""

import sys
from importlib import import_module

_QUANTIZATION_LIBRARIES = ("hqq", "torchao", "gptqmodel", "auto_gptq", "optimum", "peft", "bitsandbytes")
_MODEL_CODE = ("transformers.modeling_utils", "transformers.cache_utils")

_hidden_here: list[str] = []


def import_leanly() -> None:
    """From now on `import_model_code` hides them; for a process that runs one command or notebook."""
    _hidden_here[:] = _QUANTIZATION_LIBRARIES


def import_model_code() -> None:
    """Import what every model of transformers needs.

    A package whose entry in `sys.modules` is `None` is not there for the import system (Python reference, "The module
    cache"), and transformers believes it. Afterwards each can be imported as ever.
    """
    if not _hidden_here or any(name in sys.modules for name in _MODEL_CODE):
        return
    hidden = [name for name in _hidden_here if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        for name in _MODEL_CODE:
            import_module(name)
    finally:
        for name in hidden:
            del sys.modules[name]
