"""What monitors say of themselves, as panels that can be drawn. No widget is needed to use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toriwork.errors import BadInput
from toriwork.plots import panel
from toriwork.plots.figure import Panel
from toriwork.plots.spectra import plot_chaos, plot_spectra
from toriwork.plots.twin import Twin, counted, short

MOST_POINTS = 300  #: of a curve: the newest
HEADER = ("monitor", "where it stands")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One monitor at one moment."""

    name: str
    sentence: str  #: where it stands
    panels: tuple[Panel, ...]


class PanelState:
    """Where some monitors stand, as of the last :meth:`refresh`.

    Parameters
    ----------
    *monitors : OriginSentry, CurvatureAwareGuard, BraidAggregator or ChaosChannelController
        One or more, in the order in which they are shown; they are only read.

    Raises
    ------
    BadInput
        There is none, or one is no monitor.
    """

    def __init__(self, *monitors: Any) -> None:
        if not monitors:
            raise BadInput("monitors: at least one is wanted")
        self._readers = [(monitor, reader_of(monitor)) for monitor in monitors]
        self.readings: tuple[Reading, ...] = ()
        self._twins: tuple[Twin, ...] = ()
        self.refresh()

    def refresh(self) -> bool:
        """Read every monitor; whether anything that is told has changed."""
        self.readings = tuple(reader(monitor) for monitor, reader in self._readers)
        before, self._twins = self._twins, (self.twin, *(one.twin() for one in self.panels))
        return before != self._twins

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Everything that is drawn, monitor by monitor."""
        return tuple(one for reading in self.readings for one in reading.panels)

    @property
    def twin(self) -> Twin:
        """Where each monitor stands, in a sentence and as a row."""
        rows = tuple((reading.name, reading.sentence) for reading in self.readings)
        return Twin(" ".join(f"{name}: {sentence}." for name, sentence in rows), HEADER, rows)


def reader_of(monitor: Any) -> Callable[[Any], Reading]:
    """How a monitor is read.

    Raises
    ------
    BadInput
        It is none of the four.
    """
    reader = READERS.get(getattr(monitor, "kind", ""))
    if reader is None:
        raise BadInput(f"monitors: one of the four monitors is wanted, given was {monitor!r:.80}")
    return reader


def read_sentry(sentry: Any) -> Reading:
    """Novelty and spectra over time."""
    report = sentry.get_emergence_report()
    stirring, strength = report["entropy_injection"]
    seen = report["metrics"]["total_classifications"]
    sentence = (
        f"{seen} {'spectrum' if seen == 1 else 'spectra'} classified, {report['coherence']}, "
        f"novelty {short(report['last_novelty'])} (mean {short(report['mean_novelty'])}, "
        f"at most {short(report['max_novelty'])}); "
        + (f"entropy is wanted, {strength:g} times" if stirring else "no entropy is wanted")
    )
    panels = (
        Panel(
            panel.plot_novelty,
            sentry.novelty_history[-MOST_POINTS:],
            f"{sentry.name}: novelty",
            {},
            panel.describe_novelty,
        ),
        Panel(
            panel.plot_modes,
            sentry.spectral_db.last(MOST_POINTS)[::-1],
            f"{sentry.name}: spectra",
            {},
            panel.describe_modes,
        ),
    )
    return Reading(sentry.name, sentence, panels)


def read_guard(guard: Any) -> Reading:
    """The largest eigenvalue against its threshold, and the curvature that lowers it."""
    metrics, history = guard.metrics, guard.history[-MOST_POINTS:]
    last = (
        f"; last {short(history[-1]['max_eigenvalue'])} against {short(history[-1]['threshold'])}, curvature "
        f"{short(history[-1]['curvature'])}"
        if history
        else ""
    )
    actions = f"{metrics['adaptive_damp']} adaptive and {metrics['emergency_damp']} emergency dampings"
    curvatures = [one["curvature"] for one in history]
    panels = (
        Panel(plot_spectra, history, "guard: threshold"),
        Panel(panel.plot_curvature, curvatures, "guard: curvature", {}, panel.describe_curvature),
    )
    return Reading("guard", f"{counted(metrics['checks'], 'check')}, {actions}{last}", panels)


def read_braid(braid: Any) -> Reading:
    """The rings of events with their accounting, and the summaries."""
    status = braid.get_status()
    lambdas = {
        scale: [one["lambda_max"] for one in braid.get_spectral_timeline(scale)[-MOST_POINTS:]]
        for scale in status["scales"]
    }
    coherent = ", ".join(f"{pair} {short(r)}" for pair, r in status["cross_scale_coherence"].items())
    sentence = (
        f"{panel.describe_rings(status).sentence[:-1]}; {counted(status['spikes'], 'spike')}, "
        f"{'running' if status['running'] else 'not running'}" + (f"; coherence {coherent}" if coherent else "")
    )
    panels = (
        Panel(panel.plot_rings, status, "braid: rings", {}, panel.describe_rings),
        Panel(panel.plot_summaries, lambdas, "braid: summaries", {}, panel.describe_summaries),
    )
    return Reading("braid", sentence, panels)


def read_chaos(chaos: Any) -> Reading:
    """The energy of the lattice with its bursts."""
    history, bursts = chaos.history, chaos.get_burst_history()
    energy = f", energy {short(history[-1]['energy'])}" if history else ""
    last = f"; last peak {short(bursts[-1]['peak_energy'])}" if bursts else ""
    sentence = f"{chaos.state} after {counted(len(history), 'step')}{energy}, {counted(len(bursts), 'burst')}{last}"
    return Reading("chaos", sentence, (Panel(plot_chaos, history[-MOST_POINTS:], "chaos: energy"),))


#: ``kind`` of a monitor -> what reads it
READERS: dict[str, Callable[[Any], Reading]] = {
    "origin_spectral": read_sentry,
    "curvature": read_guard,
    "braid_summary": read_braid,
    "chaos_burst": read_chaos,
}
