"""What a reader can play with: models beside each other, answers as HTML, and the controls that ask for them.

`first_tokens`, `next_tokens` and `own_program` each hold one question: a frozen record of what was chosen, and its
`answer`, a page fragment with every foreign text escaped. `panels` puts ipywidgets around them; nothing else knows of
widgets, so that everything but the clicking runs without a browser. `notebooks/explore.ipynb` shows the panels.
"""
