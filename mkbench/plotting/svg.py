"""SVG of figures, to stand within a page."""

import io
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure

from mkbench.plotting.style import print_style

_NAMESPACE = "http://www.w3.org/2000/svg"
#: Metadata name the release of matplotlib; the style sheet would be that of the whole page.
_LEFT_OUT = ("metadata", "style")
#: What that style sheet says, and how big letters of 7 points are in a page: 14 pixels.
_STROKES, _PIXELS = "stroke-linejoin: round; stroke-linecap: butt", 2


def inline_svg(figure: Figure, *, name: str, title: str) -> str:
    """Write a figure as an ``<svg>`` element for a page; the same figure gives the same text on any day.

    Letters are drawn as outlines, so that no font is needed. Comments, metadata and the style sheet are left out, and
    all identifiers begin with the name, so that several figures share a page.

    Args:
        figure: any matplotlib figure.
        name: of the figure in its page: letters, digits and hyphens.
        title: what a screen reader says of it.

    Example:
        >>> from mkbench.plotting.style import new_figure
        >>> text = inline_svg(new_figure(72, 36), name="curve", title="MI < AUC")
        >>> '<title id="curve-title">MI &lt; AUC</title>' in text, 'id="curve-figure_1"' in text
        (True, True)
    """
    written = io.StringIO()
    with print_style(), matplotlib.rc_context({"svg.hashsalt": "mkbench", "svg.fonttype": "path"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(written.getvalue())
    _leave_out(root)
    for element in root.iter():
        _rename(element, name)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    root.attrib = {
        **{"xmlns": _NAMESPACE, "viewBox": root.attrib["viewBox"], "style": _STROKES},
        **{"width": f"{width * _PIXELS:.0f}", "height": f"{height * _PIXELS:.0f}"},
        **{"role": "img", "aria-labelledby": f"{name}-title"},
    }
    label = ElementTree.Element("title", {"id": f"{name}-title"})
    label.text = title
    root.insert(0, label)
    return ElementTree.tostring(root, encoding="unicode")


def _leave_out(parent: ElementTree.Element) -> None:
    for child in list(parent):
        if child.tag.partition("}")[2] in _LEFT_OUT:
            parent.remove(child)
        else:
            _leave_out(child)


def _rename(element: ElementTree.Element, name: str) -> None:
    """Take the namespaces, which a page has itself, and put a name before the identifiers that are made or used."""
    element.tag = element.tag.partition("}")[2]
    attributes = {}
    for key, value in element.attrib.items():
        local = key.rpartition("}")[2]
        prefixes = {"id": ("", f"{name}-"), "href": ("#", f"#{name}-")}
        old, new = prefixes.get(local, ("url(#", f"url(#{name}-"))
        attributes[local] = value.replace(old, new, 1)
    element.attrib = attributes
