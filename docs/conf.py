"""The documentation: `sphinx-build -W docs docs/_build/html`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from jupyter_rewind import __version__

project = "Jupyter Rewind"
author = "Jupyter Rewind contributors"
copyright = "Jupyter Rewind contributors"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton", "rewind_tables"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
exclude_patterns = ["_build"]

html_theme = "pydata_sphinx_theme"
html_title = "Jupyter Rewind"
html_static_path = ["_static"]
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
