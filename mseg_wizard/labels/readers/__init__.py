"""The raw forms of labels, one file each: how it is read into ids. Which dataset has which form is not known here."""
