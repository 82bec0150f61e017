"""A retail chain that writes its own unlike source systems, with known faults and an answer key."""

from systock.simulator.answer_key import AnswerKey, load_answer_key
from systock.simulator.faults import FAULTS
from systock.simulator.simulate import START, simulate, write_project

__all__ = ["FAULTS", "START", "AnswerKey", "load_answer_key", "simulate", "write_project"]
