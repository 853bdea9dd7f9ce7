"""Make the pictures of the README from a fresh demo clinic: `python scripts/readme_pictures.py [--address URL]`.

Starts a demo clinic in a throw-away data folder, signs in as people of the cast, photographs the pages of the five-minute walk at
1366×768 and in two sizes of phone, and writes docs/pictures/*.png with 256 colours each, so that all together stay small.
With `--address` it photographs a running demo clinic instead.
"""

import argparse
import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urljoin

from playwright.sync_api import Browser, Page
from screenshots import browser, dress, sign_in

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
MOST_BYTES = 1_500_000
PASSWORD = "careloop demo clinic"
DESK, PHONE, SMALL_PHONE = (1366, 768), (390, 844), (360, 740)


@dataclass(frozen=True)
class Picture:
    """One picture: who is signed in, how large the window is, and how to get to the page."""

    name: str
    who: str
    size: tuple[int, int]
    go: Callable[[Page, str], object]
    theme: str = "light"


def at(path: str) -> Callable[[Page, str], object]:
    return lambda page, server: page.goto(urljoin(server, path))


def first_link(path: str, pattern: str, words: str = "") -> Callable[[Page, str], object]:
    """Open the first link of a list whose address matches `pattern` and that says `words`."""

    def go(page: Page, server: str) -> None:
        page.goto(urljoin(server, path))
        links = page.eval_on_selector_all(
            "main a[href]", "links => links.map(link => [link.getAttribute('href'), link.textContent])"
        )
        fitting = [
            address for address, text in links if words in text and re.fullmatch(pattern, address.partition("?")[0])
        ]
        if not fitting:
            raise SystemExit(f"{path} has no link like {pattern} that says {words or 'anything'}")
        page.goto(urljoin(server, fitting[0]))

    return go


def patient(chart_number: str, tab: str = "") -> Callable[[Page, str], object]:
    """Open somebody of the cast: names are not enough, others in a clinic have the same."""
    found = first_link(f"/patients/?q={quote(chart_number)}", r"/patients/[0-9a-f-]{36}/")

    def go(page: Page, server: str) -> None:
        found(page, server)
        if tab:
            page.goto(page.url.rstrip("/") + f"/{tab}/")

    return go


UUID = "[0-9a-f-]{36}"
WALK = (
    Picture("today", "desk", DESK, at("/")),
    Picture("patient", "nurse", DESK, patient("000001")),
    Picture("segment", "desk", DESK, first_link("/segments/", rf"/segments/{UUID}/", "成人健檢")),
    Picture("journey", "nurse", DESK, first_link("/journeys/", rf"/journeys/{UUID}/", "召回")),
    Picture("phone", "desk", PHONE, first_link("/messages/phones/", rf"/messages/phones/{UUID}/\w+/")),
    Picture("patient-phone", "nurse", SMALL_PHONE, patient("000002"), theme="dark"),
)

# The palette of a screen is small: the most frequent colours, and the nearest of them for the rest.
QUANTIZE = """async (source) => {
  const image = new Image(); image.src = 'data:image/png;base64,' + source; await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height).data, count = new Map();
  for (let i = 0; i < pixels.length; i += 4) {
    const colour = pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2];
    count.set(colour, (count.get(colour) || 0) + 1);
  }
  const near = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + ((a >> 8 & 255) - (b >> 8 & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;
  const palette = [];
  for (const spread of [300, 90, 20, 0])
    for (const [colour] of [...count].sort((a, b) => b[1] - a[1]))
      if (palette.length < 256 && !palette.includes(colour) && palette.every(one => near(one, colour) > spread)) palette.push(colour);
  const place = new Map();
  for (const colour of count.keys())
    place.set(colour, palette.reduce((best, one, index) => near(one, colour) < near(palette[best], colour) ? index : best, 0));
  const indices = new Uint8Array(pixels.length / 4);
  for (let i = 0; i < indices.length; i++)
    indices[i] = place.get(pixels[4 * i] << 16 | pixels[4 * i + 1] << 8 | pixels[4 * i + 2]);
  let text = ''; for (let i = 0; i < indices.length; i += 32768) text += String.fromCharCode(...indices.subarray(i, i + 32768));
  return {width: image.width, height: image.height, palette, indices: btoa(text)};
}"""


def small_png(page: Page, picture: bytes) -> bytes:
    """Return `picture` with a palette; the browser does the counting of colours."""
    done = page.evaluate(QUANTIZE, base64.b64encode(picture).decode())
    width, height, indices = done["width"], done["height"], base64.b64decode(done["indices"])
    lines = b"".join(b"\0" + indices[row * width : (row + 1) * width] for row in range(height))
    palette = b"".join(colour.to_bytes(3, "big") for colour in done["palette"])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header),
        chunk(b"PLTE", palette),
        chunk(b"IDAT", zlib.compress(lines, 9)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@contextmanager
def demo_clinic() -> Iterator[str]:
    """A demo clinic of its own on a free port; gives its address."""
    home = Path(tempfile.mkdtemp(prefix="careloop-pictures-"))
    home.chmod(0o711)
    environment = os.environ | {"CARELOOP_HOME": str(home)}
    command = [sys.executable, "-m", "careloop"]
    process = subprocess.Popen(
        [*command, "up", "--demo", "--port", "0", "--json"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit("the demo clinic did not start")
        yield json.loads(line)["address"]
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def photograph_all(chromium: Browser, server: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    states: dict[str, object] = {}
    for one in WALK:
        if one.who not in states:
            with chromium.new_context() as context:
                sign_in(context.new_page(), server, f"{one.who}@demo.careloop.test", PASSWORD)
                states[one.who] = context.storage_state()
        width, height = one.size
        with chromium.new_context(
            viewport={"width": width, "height": height},
            storage_state=states[one.who],
            locale="zh-TW",
            is_mobile=width < 500,
        ) as context:  # type: ignore[arg-type]
            dress(context, server, theme=one.theme, language="zh-hant")
            page = context.new_page()
            one.go(page, server)
            page.wait_for_timeout(1200)
            picture = page.screenshot()
        # a page of its own: ours forbids pictures from data addresses
        with chromium.new_context() as context:
            file = PICTURES / f"{one.name}.png"
            file.write_bytes(small_png(context.new_page(), picture))
            print(file.relative_to(ROOT), f"{file.stat().st_size / 1000:.0f} kB")
    total = sum(file.stat().st_size for file in PICTURES.glob("*.png"))
    if total > MOST_BYTES:
        raise SystemExit(f"the pictures have {total / 1e6:.1f} MB together; the most is {MOST_BYTES / 1e6} MB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--address", help="a running demo clinic (default: start one)")
    address = options.parse_args().address
    with browser() as chromium:
        if address:
            photograph_all(chromium, address)
        else:
            with demo_clinic() as server:
                photograph_all(chromium, server)


if __name__ == "__main__":
    main()
