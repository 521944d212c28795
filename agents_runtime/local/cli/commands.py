"""`agents-runtime dev | serve | new | deploy`: the options, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agents_runtime.errors import AgentError

if TYPE_CHECKING:
    from agents_runtime.local.cli.serving import ServeOptions

F = TypeVar("F", bound=Callable[..., Any])

DEV_PORT = 8787


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from agents_runtime.local.cli.banner import installed_version

        click.echo(f"agents-runtime {installed_version()}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def cli() -> None:
    """Run durable agents on this machine.

    A project is a folder with a wrangler.toml or wrangler.jsonc. Start one with `agents-runtime new NAME`.
    """


def _server_options(log_format: str) -> Callable[[F], F]:
    options = (
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        click.option("--port", default=DEV_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free."),
        click.option(
            "--data",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder of the agents' data.  [default: .agents in the project]",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            default=Path(),
            help="Project file, or its folder.  [default: this folder]",
        ),
        click.option(
            "--durability",
            type=click.Choice(["power", "process"]),
            default="power",
            show_default=True,
            help="What a commit survives: loss of power, or the death of the process only (faster).",
        ),
        click.option(
            "--idle-timeout",
            type=click.FloatRange(min=0),
            default=10.0,
            show_default=True,
            help="Seconds after which an idle agent leaves memory; 0: after every event.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default=log_format,
            show_default=True,
            help="Of output.",
        ),
        click.option("--access-log/--no-access-log", default=True, help="A line per request.", show_default=True),
    )

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@cli.command()
@_server_options("text")
@click.option("--reload/--no-reload", default=True, show_default=True, help="Take in changes of the project's files.")
def dev(reload: bool, **options: Any) -> None:
    """Run the project of this folder while you write it."""
    _serve(is_dev=True, reload=reload, **options)


@cli.command()
@_server_options("json")
def serve(**options: Any) -> None:
    """Run the project of this folder in production."""
    _serve(is_dev=False, reload=False, **options)


@cli.command()
@click.argument("name")
@click.option("--template", default="counter", show_default=True, help="What to start from.")
@click.option("--run", is_flag=True, help="Start it when it is written.")
def new(name: str, template: str, run: bool) -> None:
    """Write a new project into the folder NAME."""
    from agents_runtime.local.cli.new_project import create_project

    try:
        folder = create_project(Path(name), template)
    except AgentError as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"Created {folder}\n")
    if run:
        _serve(is_dev=True, reload=True, config=folder)
        return
    shown = f'"{name}"' if " " in name else name
    click.echo(f"  cd {shown}\n  agents-runtime dev        # then open http://127.0.0.1:{DEV_PORT}")
    click.echo("  python -m pytest          # the project's tests")


@cli.command()
@click.option("--dry-run", is_flag=True, help="Check and bundle, upload nothing.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Project file, or its folder.  [default: this folder]",
)
@click.option("--allow", multiple=True, metavar="PACKAGE", help="A package that has a wheel for Workers. Repeatable.")
@click.argument("wrangler", nargs=-1, type=click.UNPROCESSED)
def deploy(dry_run: bool, config: Path, allow: tuple[str, ...], wrangler: tuple[str, ...]) -> None:
    """Check the project of this folder, then upload it to Cloudflare with pywrangler.

    What follows `--` is given to wrangler.
    """
    from agents_runtime.local.cli.deploying import deploy_project

    try:
        code = deploy_project(config, dry_run=dry_run, allowed=allow, arguments=wrangler)
    except AgentError as exc:
        raise click.ClickException(str(exc)) from exc
    raise SystemExit(code)


@cli.command()
@click.argument("mail_id", required=False)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the agents' data.  [default: .agents in the project]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Project file, or its folder.  [default: this folder]",
)
@click.option("--clear", is_flag=True, help="Delete every mail that does not wait to be sent on.")
def outbox(mail_id: str | None, data: Path | None, config: Path, clear: bool) -> None:
    """List the mails that the project of this folder sent, or print the one with MAIL_ID."""
    from agents_runtime.local.cli.outbox import clear_outbox, list_outbox, show_mail

    try:
        if clear:
            clear_outbox(data, config)
        elif mail_id is None:
            list_outbox(data, config)
        else:
            show_mail(data, config, mail_id)
    except AgentError as exc:
        raise click.ClickException(str(exc)) from exc


def _serve(**options: Any) -> None:
    from agents_runtime.local.cli.serving import ServeOptions, run

    settings: ServeOptions = ServeOptions(**options)
    try:
        code = run(settings)
    except AgentError as exc:
        raise click.ClickException(str(exc)) from exc
    raise SystemExit(code)
