"""The state of monitors in words, and as panels that can be drawn; it works without any widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toriwork.errors import BadInput
from toriwork.plots.figure import Panel
from toriwork.plots.monitors import describe_rings, plot_modes, plot_novelty, plot_rings
from toriwork.plots.spectra import plot_chaos, plot_spectra
from toriwork.plots.text_alternative import TextAlternative, counted, short

MOST_POINTS = 300  #: of a curve: the newest
HEADER = ("monitor", "state")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One monitor at one moment."""

    name: str
    sentence: str
    panels: tuple[Panel, ...]


class PanelState:
    """The state of some monitors as of the last :meth:`refresh`; takes what ``MonitorPanel`` takes."""

    def __init__(self, *monitors: Any) -> None:
        if not monitors:
            raise BadInput("monitors: expected at least one")
        self._readers = [(monitor, reader_of(monitor)) for monitor in monitors]
        self.readings: tuple[Reading, ...] = ()
        self._texts: tuple[TextAlternative, ...] = ()
        self.refresh()

    def refresh(self) -> bool:
        """Read every monitor; True when anything has changed."""
        self.readings = tuple(reader(monitor) for monitor, reader in self._readers)
        before, self._texts = self._texts, (self.text, *(one.text() for one in self.panels))
        return before != self._texts

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Everything that is drawn, monitor by monitor."""
        return tuple(one for reading in self.readings for one in reading.panels)

    @property
    def text(self) -> TextAlternative:
        """The state of each monitor, in a sentence and as a row."""
        rows = tuple((reading.name, reading.sentence) for reading in self.readings)
        return TextAlternative(" ".join(f"{name}: {sentence}." for name, sentence in rows), HEADER, rows)


def reader_of(monitor: Any) -> Callable[[Any], Reading]:
    """The function that reads a monitor; BadInput when it is none of the four."""
    reader = READERS.get(getattr(monitor, "kind", ""))
    if reader is None:
        raise BadInput(f"monitors: expected one of the four monitors, got {monitor!r:.80}")
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
        + (f"entropy injection of {strength:g} asked for" if stirring else "no entropy injection asked for")
    )
    scores, spectra = sentry.novelty_history[-MOST_POINTS:], sentry.spectral_db.last(MOST_POINTS)[::-1]
    panels = (
        Panel(plot_novelty, scores, f"{sentry.name}: novelty"),
        Panel(plot_modes, spectra, f"{sentry.name}: spectra"),
    )
    return Reading(sentry.name, sentence, panels)


def read_guard(guard: Any) -> Reading:
    """The largest eigenvalue against its threshold."""
    metrics, history = guard.metrics, guard.history[-MOST_POINTS:]
    last = (
        f"; last {short(history[-1]['max_eigenvalue'])} against {short(history[-1]['threshold'])}, curvature "
        f"{short(history[-1]['curvature'])}"
        if history
        else ""
    )
    actions = f"{metrics['adaptive_damp']} adaptive and {metrics['emergency_damp']} emergency dampings"
    sentence = f"{counted(metrics['checks'], 'check')}, {actions}{last}"
    return Reading("guard", sentence, (Panel(plot_spectra, history, "guard: threshold"),))


def read_braid(braid: Any) -> Reading:
    """The rings of events with the account of every event."""
    status = braid.get_status()
    coherent = ", ".join(f"{pair} {short(r)}" for pair, r in status["cross_scale_coherence"].items())
    sentence = (
        f"{describe_rings(status).sentence[:-1]}; {counted(status['spikes'], 'spike')}, "
        f"{'running' if status['running'] else 'not running'}" + (f"; coherence {coherent}" if coherent else "")
    )
    return Reading("braid", sentence, (Panel(plot_rings, status, "braid: rings"),))


def read_chaos(chaos: Any) -> Reading:
    """The energy of the lattice with its bursts."""
    history, bursts = chaos.history, chaos.get_burst_history()
    energy = f", energy {short(history[-1]['energy'])}" if history else ""
    last = f"; last peak {short(bursts[-1]['peak_energy'])}" if bursts else ""
    sentence = f"{chaos.state} after {counted(len(history), 'step')}{energy}, {counted(len(bursts), 'burst')}{last}"
    return Reading("chaos", sentence, (Panel(plot_chaos, history[-MOST_POINTS:], "chaos: energy"),))


#: ``kind`` of a monitor -> the function that reads it
READERS: dict[str, Callable[[Any], Reading]] = {
    "origin_spectral": read_sentry,
    "curvature": read_guard,
    "braid_summary": read_braid,
    "chaos_burst": read_chaos,
}
