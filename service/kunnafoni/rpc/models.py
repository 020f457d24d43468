"""ModelService: what the server is and which models it has. Values of the model pool to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kunnafoni
from kunnafoni.languages import LANGUAGES
from kunnafoni.rpc.page_tokens import page_token, read_page_token
from kunnafoni.rpc.requests import check_page_size
from kunnafoni.v1 import model_pb2, model_pb2_grpc

if TYPE_CHECKING:
    import grpc

    from kunnafoni.rpc.requests import Limits
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni_models.catalog.entry import CatalogEntry

    Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000
BYTES_PER_MIB = 2**20


class ModelServicer(model_pb2_grpc.ModelServiceServicer):
    """Serves `model.proto`."""

    def __init__(self, model_pool: ModelPool, limits: Limits) -> None:
        self._model_pool = model_pool
        self._limits = limits

    async def GetServerInfo(  # noqa: N802 - the names of RPCs are the wire's
        self,
        request: model_pb2.GetServerInfoRequest,  # noqa: ARG002 - the signature is gRPC's
        context: Context,  # noqa: ARG002
    ) -> model_pb2.GetServerInfoResponse:
        """See the proto."""
        return model_pb2.GetServerInfoResponse(
            version=kunnafoni.__version__,
            limits=model_pb2.Limits(
                max_contents=self._limits.max_contents,
                max_content_code_points=self._limits.max_content_code_points,
                max_call_code_points=self._limits.max_call_code_points,
                max_message_bytes=self._limits.max_message_bytes,
                max_beam_size=self._limits.max_beam_size,
            ),
            languages=[
                model_pb2.Language(
                    code=language.code, english_name=language.english_name, native_name=language.native_name
                )
                for language in LANGUAGES.values()
            ],
            pairs=[
                model_pb2.LanguagePair(
                    source_language_code=source, target_language_code=target, model_ids=[hop.model_id for hop in route]
                )
                for (source, target), route in self._model_pool.routes().items()
            ],
        )

    async def ListModels(  # noqa: N802
        self,
        request: model_pb2.ListModelsRequest,
        context: Context,  # noqa: ARG002
    ) -> model_pb2.ListModelsResponse:
        """See the proto."""
        check_page_size(request.page_size, MAX_PAGE_SIZE)
        cursor = read_page_token(request.page_token) or ""  # the last model of the page before
        size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        rest = sorted(model_id for model_id in self._model_pool.entries if model_id > cursor)
        page = rest[:size]
        return model_pb2.ListModelsResponse(
            models=[_model_message(self._model_pool.entries[model_id], self._model_pool) for model_id in page],
            next_page_token=page_token(page[-1]) if len(rest) > size else "",
        )


def _model_message(entry: CatalogEntry, model_pool: ModelPool) -> model_pb2.Model:
    status = model_pool.status(entry.id)
    return model_pb2.Model(
        id=entry.id,
        revision=entry.revision,
        backend=entry.backend,
        state=model_pb2.ModelState.Value(f"MODEL_STATE_{status.state if status else 'UNLOADED'}"),
        state_detail=status.problem if status else "",
        directions=[
            model_pb2.Direction(
                source_language_code=direction.source,
                target_language_code=direction.target,
                quality=_quality(entry, direction.source, direction.target),
                in_use=model_pool.translates(entry.id, direction.source, direction.target),
            )
            for direction in entry.directions
        ],
        summaries=[
            model_pb2.SummaryLanguage(
                language_code=language,
                quality=_quality(entry, language, language),
                in_use=model_pool.summarizes(entry.id, language),
            )
            for language in entry.summary_languages
        ],
        licence=model_pb2.Licence(
            name=entry.licence.name, non_commercial=entry.licence.non_commercial, summary=entry.licence.summary
        ),
        parameters=entry.parameters,
        size_bytes=sum(file.bytes for file in entry.files),
        memory_bytes=entry.memory_mb * BYTES_PER_MIB,
    )


def _quality(entry: CatalogEntry, source: str, target: str) -> list[model_pb2.Quality]:
    return [
        model_pb2.Quality(
            metric=figure.metric,
            score=figure.score,
            signature=figure.signature,
            test_set=figure.test_set,
            decoding=figure.decoding,
            measure_date=figure.date.isoformat(),
            measured_by=figure.measured_by,
        )
        for figure in entry.quality
        if (figure.source, figure.target) == (source, target)
    ]
