"""Files as they stand on disk, judged before any comparison: an image's size, and a made label map in the one form that is written here."""

from __future__ import annotations

from PIL import Image, UnidentifiedImageError

from mseg_wizard.labels import png
from mseg_wizard.labels.codec import MAX_PIXELS
from mseg_wizard.labels.png import Ids
from mseg_wizard.progress import Problem, printable

KINDS = {
    png.GREY: "greyscale",
    png.RGB: "RGB",
    png.PALETTE: "palette",
    png.GREY_ALPHA: "greyscale with alpha",
    png.RGB_ALPHA: "RGB with alpha",
}
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
"""What lists name. Pillow would try others too, and start other programs for some of them."""
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"\x60\x82"}
"""Last bytes of a whole image. Some have other bytes after them: decoding decides then."""


def image_shape(path: str) -> tuple[int, int]:
    """Height and width, from an image's header; one whose end is not where it should be is decoded. Raises Problem."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - per image
            if file.seek(0, 2) < 2:
                raise Problem(f"{path} is empty.")
            file.seek(-2, 2)
            end = file.read()
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                if end != ENDS.get(image.format or "", end):
                    image.load()
                return image.height, image.width
    except UnidentifiedImageError:
        raise Problem(f"{path} is no image.") from None
    except Problem:
        raise
    except Exception as error:  # Pillow raises whatever it stumbles over: a damaged file is the one reason
        raise Problem(f"{path} is damaged: {getattr(error, 'strerror', None) or printable(str(error), 200)}.") from None


def read_made(path: str, depth: int) -> Ids:
    """The ids of a made map, (H, W); a file of another kind is refused, however right its pixels are. Raises Problem."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - per image
            data = file.read()
        header = png.read_header(data)
        if not 0 < header.width * header.height <= MAX_PIXELS:
            raise ValueError(f"claims to be {header.width:,} × {header.height:,} pixels")
        if (header.color, header.depth) != (png.GREY, depth):
            kind = KINDS.get(header.color, "of an unknown kind")
            raise ValueError(f"is stored as {header.depth}-bit {kind} instead of {depth}-bit greyscale")
        return png.samples(png.parse(data))
    except OSError as error:
        raise Problem(f"{path} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise Problem(f"{path} {error}.") from None
