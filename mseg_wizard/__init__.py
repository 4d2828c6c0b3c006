"""From an empty disk to the finished MSeg dataset, in the order that MSeg prescribes."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mseg-wizard")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
