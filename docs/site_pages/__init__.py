"""The sources of the site: each module writes one kind of page from what the repository holds, found by listing it.

`python -m site_pages FOLDER` writes them, `make site` gives them to Sphinx (`docs/conf.py`).
"""
