"""The classic canary: three pods and one, a quarter of the requests; then by `release`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from serinus import errors
from serinus.demo.screen import Screen
from serinus.load import picture
from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan
from serinus.load.report import Report, z_score
from serinus.load.run import run
from serinus.local_cluster import kubectl
from serinus.local_cluster.lifecycle import LocalCluster
from serinus.local_cluster.state_folder import StateFolder
from serinus.process import SystemClock, spawn, stop

PORT = 32600
URL = f"http://127.0.0.1:{PORT}/"
MANIFESTS = Path(__file__).with_name("manifests")
EXAMPLES = "examples/nginx-canary"
RATE = 200
COMMAND_LIMIT_S = 120
LOAD_LIMIT_MS = 600_000
NAME = "nginx-deployment"


def shown_folder() -> str:
    """Return where a reader finds the manifests: in a checkout, or in the installed package."""
    return EXAMPLES if Path(EXAMPLES).is_dir() else str(MANIFESTS)


class Pace(msgspec.Struct, frozen=True):
    """How long the demo lingers."""

    look_s: float
    pause: str


class Stage:
    """The cluster of the demo, the commands on it, and the moments worth marking in the picture."""

    def __init__(self, screen: Screen, folder: StateFolder, pace: Pace) -> None:
        self.screen = screen
        self.pace = pace
        self.markers: list[picture.Marker] = []
        self._folder = folder
        self._began_ms = 0

    def load_began(self) -> None:
        """Take this moment as second 0 of the picture."""
        self._began_ms = SystemClock().now_ms()

    def mark(self, label: str) -> None:
        """Mark this moment in the picture."""
        self.markers.append(picture.Marker(SystemClock().now_ms() - self._began_ms, label))

    async def kubectl(self, *arguments: str) -> None:
        """Run the real kubectl on the demo's cluster."""
        words = [a.replace(str(MANIFESTS), shown_folder()) for a in arguments]
        self.screen.command(f"kubectl {' '.join(words)}")
        await self._run([kubectl.find(), *arguments])

    async def serinus(self, *arguments: str) -> None:
        """Run the CLI on the demo's cluster."""
        self.screen.command(f"serinus {' '.join(arguments)}")
        await self._run([sys.executable, "-m", "serinus", *arguments])

    async def look(self) -> None:
        """Leave time to watch the bar."""
        await asyncio.sleep(self.pace.look_s)

    async def _run(self, command: list[str]) -> None:
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._folder.kubeconfig),
            "NO_COLOR": "1",
        }
        process = await spawn(
            command,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            die_with_parent=True,
        )
        try:
            async with asyncio.timeout(COMMAND_LIMIT_S):
                await self._show(process)
        finally:
            code = await stop(process, grace_ms=2_000)
        if code != 0:
            raise errors.RefusedError("DemoFailed", f"{' '.join(command)} ended with {code}")

    async def _show(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is not None:
            async for line in process.stdout:
                self.screen.output(line.decode(errors="replace"))
        await process.wait()


async def play(output: Path, *, fast: bool, keep: bool) -> int:
    """Play the demo; return 0 when no request was lost."""
    pace = Pace(look_s=2.0, pause="1s") if fast else Pace(look_s=8.0, pause="5s")
    await _refuse_a_taken_port()
    folder = Path(tempfile.mkdtemp(prefix="serinus-demo-"))
    state = StateFolder(folder / "cluster")
    cluster = LocalCluster(state, "demo")
    with Screen() as screen:
        try:
            stage = Stage(screen, state, pace)
            await _start(screen, cluster)
            async with _load(stage) as result:
                await _pair(stage)
                await _releases(stage)
            report = await result
            return _epilogue(stage, report, output, keep=keep)
        finally:
            if keep:
                screen.say(f"The cluster goes on: export KUBECONFIG={state.kubeconfig}")
            else:
                await asyncio.shield(asyncio.to_thread(cluster.down))
                shutil.rmtree(folder, ignore_errors=True)


async def _start(screen: Screen, cluster: LocalCluster) -> None:
    screen.chapter(1, "A cluster: a real Kubernetes API, pods as processes of yours")
    began_ms = SystemClock().now_ms()
    await asyncio.to_thread(cluster.up)
    screen.say(f"   ready in {SystemClock().now_ms() - began_ms} ms; kubectl works on it")


async def _refuse_a_taken_port() -> None:
    """Refuse to count the answers of another program.

    Raises:
        RefusedError: something listens on the port of the demo.
    """
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    except OSError:
        return
    writer.close()
    raise errors.RefusedError(
        "PortTaken",
        f"port {PORT} has another program (ss -ltnp 'sport = :{PORT}'): end it, or another local "
        "cluster with a Service on it, and begin again",
    )


async def _answers() -> bool:
    plan = LoadPlan(url=URL, connections=1, requests_max=1, duration_ms=None, timeout_ms=1_000)
    return (await run(plan, clock=SystemClock())).answered_count == 1


async def _until_it_answers() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            while not await _answers():  # noqa: ASYNC110 - another process answers, or does not
                await asyncio.sleep(0.1)
            return
    raise errors.RefusedError(
        "NoAnswer",
        f"{URL} does not answer; another program may have port 32600 (ss -ltnp 'sport = :32600')",
    )


@contextlib.asynccontextmanager
async def _load(stage: Stage) -> AsyncIterator[asyncio.Future[Report]]:
    """Apply the stable manifest, and make load for the rest of the demo."""
    screen = stage.screen
    screen.chapter(2, "The classic example: a Deployment of three behind a NodePort")
    await stage.kubectl("apply", "-f", str(MANIFESTS / "stable.yaml"))
    await stage.kubectl("rollout", "status", f"deployment/{NAME}")
    await _until_it_answers()
    screen.command(f"serinus load {URL} --rate {RATE} --keep-alive --new-connections")
    screen.say(f"   {RATE} requests a second from here to the end, each one counted")
    plan = LoadPlan(
        url=URL,
        kinds=(ConnectionKind.KEEP_ALIVE, ConnectionKind.NEW),
        rate_per_s=RATE,
        duration_ms=LOAD_LIMIT_MS,
    )
    stop_load = asyncio.Event()
    stage.load_began()
    running = asyncio.ensure_future(
        run(plan, clock=SystemClock(), on_progress=screen.progress, stop=stop_load)
    )
    result: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
    try:
        await stage.look()
        yield result
    finally:
        stop_load.set()
        result.set_result(await running)


async def _pair(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter(3, "The canary by hand: one pod of a new version behind the same Service")
    stage.mark("canary applied")
    await stage.kubectl("apply", "-f", str(MANIFESTS / "canary.yaml"))
    await stage.kubectl("rollout", "status", f"deployment/{NAME}-canary")
    await stage.serinus("status", NAME)
    await stage.look()
    await _count_share(stage)
    screen.say("   Good. The new version becomes the stable one, and the canary goes:")
    stage.mark("promote")
    await stage.serinus("promote", NAME)
    await stage.look()


async def _count_share(stage: Stage) -> None:
    """Count a thousand new connections: keep-alive clients of before see no canary."""
    plan = LoadPlan(url=URL, connections=20, requests_max=1_000, duration_ms=None)
    report = await run(plan, clock=SystemClock())
    z = z_score(report.answered_by("1.8.0"), report.answered_count, 0.25)
    stage.screen.say(
        f"   of {report.answered_count} new connections the canary answered "
        f"{report.share('1.8.0'):.1%} (25 % expected, z = {z:+.1f})"
    )


async def _releases(stage: Stage) -> None:
    screen, pause = stage.screen, stage.pace.pause
    screen.chapter(4, "The same in one command, and promoted without starting a pod")
    stage.mark("release 1.9.0")
    await stage.serinus(
        *("release", NAME, "nginx=nginx:1.9.0", "--steps", f"25,pause:{pause},50,pause:{pause}")
    )
    await stage.kubectl("rollout", "history", f"deployment/{NAME}")
    await stage.look()
    screen.chapter(5, "A version that we do not like: abort")
    stage.mark("release 1.10.0")
    await stage.serinus("release", NAME, "nginx=nginx:1.10.0", "--steps", "25,pause")
    await stage.look()
    stage.mark("abort")
    await stage.serinus("abort", NAME)
    await stage.serinus("undo", NAME)
    await stage.look()


def _epilogue(stage: Stage, report: Report, output: Path, *, keep: bool) -> int:
    screen = stage.screen
    screen.chapter(6, "What happened")
    output.mkdir(parents=True, exist_ok=True)
    drawing = picture.svg(
        report.buckets, title="Share of requests by version", markers=stage.markers
    )
    (output / "shares.svg").write_text(drawing, encoding="utf-8")
    (output / "report.json").write_bytes(report.to_json())
    screen.say(
        picture.terminal(
            report.buckets,
            markers=stage.markers,
            width=min(100, screen.console.width),
            color=not screen.console.no_color,
        )
    )
    screen.say()
    lost = report.failed_count
    style = "bold red" if lost or not report.valid else "bold green"
    screen.say(f"   {report.planned_count} requests, {lost} lost", style)
    for warning in report.warnings:
        screen.say(f"   note: {warning}", "dim")
    screen.say(f"   picture: {output / 'shares.svg'}   report: {output / 'report.json'}")
    if not keep:
        screen.say("   Next, on a cluster that stays:")
        for line in (
            "serinus local up --background",
            "export KUBECONFIG=$(serinus local kubeconfig)",
            f"kubectl apply -f {shown_folder()}/stable.yaml",
            f"serinus release {NAME} nginx=nginx:1.8.0 --steps 25,pause",
            f"serinus status {NAME} --watch",
        ):
            screen.command(line)
    return 0 if lost == 0 and report.valid else 1
