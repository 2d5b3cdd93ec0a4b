"""What the package ``markovify`` offers, for code that was written for it: change the import.

    from chekhov import markovify
    text = markovify.Text(open("sherlock.txt").read())
    print(text.make_sentence())

The same classes, methods, JSON and random module (``random.seed``). Otherwise than there, a sentence that cannot be
made within its limits is made with fewer words of context, and ``text.notes`` says so; where that does not help,
`NoSentenceError` names the limits that were in the way. ``strict=True`` brings back None and the errors of markovify.
"""

from chekhov.markovify.chain import Chain
from chekhov.markovify.splitters import split_into_sentences
from chekhov.markovify.text import NewlineText, NoSentenceError, ParamError, Text
from chekhov.markovify.utils import combine

__all__ = ["Chain", "NewlineText", "NoSentenceError", "ParamError", "Text", "combine", "split_into_sentences"]
