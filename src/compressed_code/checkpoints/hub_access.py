"""Whether a Hub and a model on it can be had, and what it says in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from compressed_code.core.errors import InputError, Unavailable, in_one_line

FIRST_ANSWER = 10  # seconds to wait for a Hub


def no_hub() -> str:
    """Why no Hub answers, in words; empty where one does, whatever it says. Asks once."""
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=FIRST_ANSWER)
    except (errors.HTTPError, OSError) as error:
        return f"{constants.ENDPOINT} ({_flat(error)})"
    return ""


def require_access(hub_id: str, revision: str | None = None) -> None:
    """Stop at a model that cannot be had by this user: nothing of that name or revision, or terms to be accepted.

    Raises:
        Unavailable: as `open_remote_model`.
    """
    from huggingface_hub import HfApi

    with one_line(hub_id if revision is None else f"{hub_id}@{revision}"):
        HfApi().model_info(hub_id, revision=revision, timeout=FIRST_ANSWER)  # everybody sees it; terms are for files
        HfApi().auth_check(hub_id)


@contextmanager
def one_line(what: object) -> Iterator[None]:
    """What huggingface_hub raises, as one line with what to do about it."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise Unavailable(f"{what}: gated; accept its terms on the Hub and set HF_TOKEN") from None
    except errors.RepositoryNotFoundError:
        raise Unavailable(
            f"{what}: the Hub has no such model, or a private one; check the name or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise Unavailable(f"{what}: the Hub's repository has no such revision; name another") from None
    except errors.RemoteEntryNotFoundError:
        raise Unavailable(f"{what}: the Hub's repository has no such file; name another") from None
    except errors.HFValidationError as error:
        raise InputError(f"{what}: no Hub id ({_flat(error)}); write OWNER/NAME") from None
    except (errors.HTTPError, OSError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise Unavailable(f"{what}: the Hub refuses access (status {status}); check HF_TOKEN") from None
        raise Unavailable(
            f"{what}: the Hub does not deliver it ({_flat(error)}); connect, "
            "or download the checkpoint and give its folder"
        ) from None


def _flat(error: Exception) -> str:
    return in_one_line(f"{type(error).__name__}: {error}")
