"""``radio record``: a channel into a file, and again into the same one, without gap or repeat."""

from __future__ import annotations

import contextlib
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from radiod_client import Radio
from radiod_client._blocking_channel import Listening
from radiod_client.command.connection import channel_key, connected
from radiod_client.command.ending import Ending
from radiod_client.command.failures import Misused
from radiod_client.command.following import TICK_S
from radiod_client.command.listening import gap_text
from radiod_client.command.past import Past
from radiod_client.command.recorder import Recorder
from radiod_client.command.terminal import Notes, Rate
from radiod_client.errors import RadioError
from radiod_client.recordings import open_recording
from radiod_client.recordings.recording import Recording
from radiod_client.recordings.records import Start
from radiod_client.samples import Gap, Sample

__all__ = ["record"]

QUEUE = 50_000
BATCH = 500


def record(options: Namespace, notes: Notes, ending: Ending) -> None:
    """Until there are as many as wanted, or for ever. The file is whole, however it ends."""
    key, path = channel_key(options), Path(options.file)
    with _opened(path, ending) as recording:
        _check(recording, options)
        with connected(options, notes) as radio:
            _Run(options, notes, ending, recording, radio, key).run()


@contextlib.contextmanager
def _opened(path: Path, ending: Ending) -> Iterator[Recording]:
    with ending.held():
        recording = open_recording(path)
    try:
        yield recording
    finally:
        with ending.held():
            recording.close()


def _check(recording: Recording, options: Namespace) -> None:
    """Raises: Misused: it is a recording of something else, or goes on from somewhere else."""
    if recording.channel not in (None, "", options.channel):
        raise Misused(f"{options.file} is a recording of {recording.channel}")
    if not recording.is_new and (options.after is not None or options.last):
        raise Misused(f"{options.file} goes on where it was: --after and --last are for a new file")


class _Run:
    """One run of the command."""

    def __init__(
        self,
        options: Namespace,
        notes: Notes,
        ending: Ending,
        recording: Recording,
        radio: Radio,
        key: str | None,
    ) -> None:
        self._options = options
        self._notes = notes
        self._ending = ending
        self._recording = recording
        self._radio = radio
        self._channel = radio.channel(options.channel, key)
        self._past = Past(radio.call, options.channel, key)
        self._rate = Rate()

    def run(self) -> None:
        options, recording = self._options, self._recording
        is_new = recording.is_new
        after = options.after or recording.position
        if options.last:
            after = self._past.beginning(options.last)
        if is_new and after is not None:
            self._begin(after)
        recorder = self._recorder()
        try:
            if after is not None:
                self._catch_up(recorder, is_promised=not options.last)
            # As large a buffer as there is: what it drops is looked for in the past.
            with self._channel.listen(after=recorder.position, queue=QUEUE, size=0) as listening:
                if recording.is_new:
                    self._begin(listening.position)
                    recorder = self._recorder()
                where = "now" if recording.position is None else recording.position
                self._notes.say(f"{options.file}: {'begins' if is_new else 'goes on'} behind {where}")
                self._record(recorder, listening)
        finally:
            self._notes.say(self._summary(recorder))

    def _recorder(self) -> Recorder:
        return Recorder(self._recording, self._past, self._on_gap, self._ending.held, self._options.count)

    def _on_gap(self, gap: Gap, position: str | None) -> None:
        self._notes.say(gap_text(gap, position))

    def _begin(self, position: str | None) -> None:
        with self._ending.held():
            self._recording.begin(Start(self._options.channel, position, time.time()))

    def _catch_up(self, recorder: Recorder, is_promised: bool) -> None:
        for _ in recorder.catch_up(is_promised):
            self._show(recorder)
            if recorder.is_full:
                return

    def _record(self, recorder: Recorder, listening: Listening) -> None:
        while not recorder.is_full:
            samples = self._taken(listening)
            if samples:
                recorder.put(samples)
            self._show(recorder)

    def _taken(self, listening: Listening) -> list[Sample]:
        """What has come, if anything has."""
        samples: list[Sample] = []
        try:
            samples.append(listening.get(TICK_S))
            while len(samples) < BATCH:
                samples.append(listening.get(0))
        except TimeoutError:
            pass
        except RadioError:
            # First what came before it: it is raised again.
            if not samples:
                raise
        return samples

    def _show(self, recorder: Recorder) -> None:
        now = time.monotonic()
        self._rate.add(recorder.count - self._rate.count, now)
        lost = f", {recorder.lost:,} lost" if recorder.gaps else ""
        self._notes.show(f"{self._options.file}: {self._rate.text(now)}{lost}, at {self._recording.position}")

    def _summary(self, recorder: Recorder) -> str:
        more = "1 more sample" if recorder.count == 1 else f"{recorder.count:,} more samples"
        text = f"{self._options.file}: {more}, up to {self._recording.position}"
        if not recorder.gaps:
            return text
        gaps = "a gap" if recorder.gaps == 1 else f"{recorder.gaps:,} gaps"
        return f"{text}, with {gaps}: {recorder.lost:,} are known to be missing"
