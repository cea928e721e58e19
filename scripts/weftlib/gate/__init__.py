"""The regression gate: whether one build is slower than another, on one machine.

`trial` is the rule, a pure function of the times that a source hands to it: live
rounds (`rounds`) or recorded ones (`replay`). docs/gate.md says why it is so.
"""
