"""A clock that stands where a test puts it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from app.core.guarded_fetch import MAX_REDIRECTS, Answered, FetchRefusedError, GuardedFetch
from app.sso.txt_records import TxtAnswer


class FakeClock:
    """Real time plus an offset, so that rows of one run keep their order."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self.fixed: datetime | None = None

    def now(self) -> datetime:
        return self.fixed or datetime.now(UTC) + self.offset

    def advance(self, **parts: float) -> None:
        self.offset += timedelta(**parts)
        if self.fixed is not None:
            self.fixed += timedelta(**parts)

    def stop(self) -> None:
        """Stand still but for `advance`."""
        self.fixed = self.now()

    def reset(self) -> None:
        self.offset = timedelta(0)
        self.fixed = None


class FakeResolver:
    """DNS as a test writes it; nothing is asked."""

    def __init__(self) -> None:
        self._answers: dict[str, TxtAnswer] = {}
        self.asked: list[str] = []

    def publish(self, name: str, *texts: str) -> None:
        self._answers[name] = TxtAnswer(texts, texts)

    def answer(self, name: str, answer: TxtAnswer) -> None:
        self._answers[name] = answer

    def fail(self, name: str) -> None:
        """Nobody answers for this name."""
        self._answers[name] = TxtAnswer(None, None)

    def remove(self, name: str) -> None:
        self._answers.pop(name, None)

    def look(self, name: str) -> TxtAnswer:
        self.asked.append(name)
        return self._answers.get(name, TxtAnswer((), ()))


# What answers a request to an address: of its method, headers and body.
Endpoint = Callable[[str, Mapping[str, str], bytes], Answered]


class FakeFetch(GuardedFetch):
    """Documents of others as a test writes them; nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, bytes] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.asked: list[str] = []

    def read(self, url: str, *, max_redirects: int = MAX_REDIRECTS) -> bytes:
        self.asked.append(url)
        if url not in self.documents:
            raise FetchRefusedError("The address answers with status 404.")
        return self.documents[url]

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answered:
        self.asked.append(url)
        if url not in self.endpoints:
            raise FetchRefusedError("The host cannot be found.")
        return self.endpoints[url](method, headers, body or b"")
