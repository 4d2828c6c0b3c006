"""What the fork server loads once, so that every worker starts with it: the libraries that label work needs, and nothing of the screen."""

import imagecodecs
import msgspec
import numpy
from PIL import Image, ImageDraw

PRELOADED = (imagecodecs, msgspec, numpy, Image, ImageDraw)
