"""QR codes as SVG that may stand in a page: no styles, no other files."""

from django.utils.safestring import SafeString, mark_safe


def svg(text: str, *, title: str, css: str = "cl-qr") -> SafeString:
    """Return the code of `text`, dark on white in every theme, because scanners want it so.

    Error correction M: a tenth and a half of it may be scratched or in a glare.
    """
    import segno  # 6 MB, for whoever draws one

    drawn = segno.make(text, error="m", micro=False).svg_inline(
        dark="#000", light="#fff", border=3, omitsize=True, svgclass=css, lineclass=None, title=title
    )
    return mark_safe(drawn.replace("<svg", '<svg role="img"', 1))  # noqa: S308 - drawn by us, the title is escaped there
