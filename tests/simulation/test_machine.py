"""Hypothesis finds nothing in the product, and a small counter-example in a product with a mistake."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.bugs import BUGS
from tests.simulation.machine import SimulatorMachine, Violation

PLAIN = settings(
    max_examples=12,
    stateful_step_count=10,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
# Without explaining, which would run many more worlds to say what a reader of five steps sees.
HUNT = settings(PLAIN, max_examples=60, phases=(Phase.generate, Phase.shrink))


@pytest.mark.slow
def test_no_rule_breaks_the_product() -> None:
    run_state_machine_as_test(SimulatorMachine, settings=PLAIN)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ack_before_sync", "cosign_before_commit"])
def test_a_mistake_is_found_in_few_steps(name: str) -> None:
    class Spoilt(SimulatorMachine):
        bug = BUGS[name]

    with pytest.raises(Violation):
        run_state_machine_as_test(Spoilt, settings=HUNT)

    assert len(Spoilt.steps) <= 5, Spoilt.steps
