"""Exit statuses of the commands that compare one build, or one run, with another."""

OK = 0
#: A tool or input was bad, or something failed its check.
ERROR = 1
#: Slower, and confirmed to be.
REGRESSION = 2
#: Not all was measured, or (if that is asked for) not all could be decided.
INCONCLUSIVE = 3
#: Nothing can be said: the machine was disturbed, or is another one.
UNTRUSTED = 4
