"""From an empty disk to the finished MSeg dataset, in the order that MSeg prescribes."""

__version__ = "0.1.0"
