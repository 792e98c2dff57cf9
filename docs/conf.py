"""What Sphinx makes of the site's sources, which `python -m site_pages` writes first; `make site` does both."""

import logging
from importlib import metadata

from sphinx.application import Sphinx

from compressed_code.core.paths import ROOT
from site_pages.docstrings import escaped, written_signature

# What libraries say to themselves while they are imported for their docstrings.
for library in ("torchao", "torch.utils._pytree"):
    logging.getLogger(library).setLevel(logging.ERROR)

project = "compressed-code"
release = metadata.version("compressed-code")
author = "The compressed-code authors"
project_copyright = "the compressed-code authors, MIT licence"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_argparse_cli", "sphinx_design"]

# Notebooks are shown as they were executed. HTML in a text is text; outputs were cleaned before.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
nb_code_prompt_show = "Code"
nb_code_prompt_hide = "Code"
myst_enable_extensions = ["colon_fence"]
myst_disable_syntax = ["html_block", "html_inline"]
myst_heading_anchors = 3
smartquotes = False  # numbers and options stay as they are written

autodoc_preserve_defaults = True
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autoclass_content = "both"
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]  # types that are named without their module may be of several
default_role = "literal"  # docstrings name code between single backticks
highlight_language = "text"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = [str(ROOT / "docs" / "static")]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # it is fetched, which a browser does not do for files on a disk
html_theme_options = {
    "navbar_align": "left",
    "collapse_navigation": True,
    "navigation_depth": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is, until a choice is made
html_sidebars = {"index": [], "claims": []}


def setup(app: Sphinx) -> None:
    """Read docstrings as what they are, after napoleon has read their sections."""

    def plain(_: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
        lines[:] = escaped(lines)

    def written(_: Sphinx, what: str, name: str, thing: object, *given: object) -> tuple[str, str] | None:
        return written_signature(thing)

    app.connect("autodoc-process-docstring", plain, priority=900)
    app.connect("autodoc-process-signature", written)
