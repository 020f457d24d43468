"""The peer of the load benchmark: one request, one `generate`, no batches across requests, no queue bound.

    python tests/bench/naive_server.py [BACKEND]

BACKEND takes the place of the embedded model's own, as `ctranslate2`, which many servers of this kind run on. It serves
`TranslationService.Translate` on the embedded model. Sentences are found and prompts are made as the service does; the
sentences of a request share its one `generate`, which most servers of this kind do not even do. Nothing is checked and
nothing gets a second try. Prints its address and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.text.segments import SegmentKind, split
from kunnafoni.v1 import translation_pb2
from kunnafoni_models import registry
from kunnafoni_models.backend import Backend, Decoding

MODEL = "kunnafoni-270m"
SERVICE = translation_pb2.DESCRIPTOR.services_by_name["TranslationService"].full_name


class Naive:
    """One RPC on one model, one request at a time."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def translate(
        self,
        request: translation_pb2.TranslateRequest,
        context: grpc.aio.ServicerContext[Any, Any],  # noqa: ARG002 - the signature is gRPC's
    ) -> translation_pb2.TranslateResponse:
        """Wait for the model and run the request alone."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._translate, request)

    def _translate(self, request: translation_pb2.TranslateRequest) -> translation_pb2.TranslateResponse:
        source, target = request.source_language_code, request.target_language_code
        sentences = [
            segment.text
            for content in request.contents
            for segment in split(content, source)
            if segment.kind is SegmentKind.TEXT
        ]
        prompts = [self._backend.translation_prompt(text, source=source, target=target) for text in sentences]
        outputs = self._backend.generate(prompts, Decoding())
        text = " ".join(output.text for output in outputs)
        return translation_pb2.TranslateResponse(translations=[translation_pb2.Translation(text=text)])


async def main() -> None:
    entry = registry.catalog()[MODEL]
    naive = Naive(registry.load(replace(entry, backend=sys.argv[1]) if len(sys.argv) > 1 else entry))
    rpc: Any = grpc  # its stubs do not know that handlers may be coroutines
    handler = rpc.unary_unary_rpc_method_handler(
        naive.translate,
        request_deserializer=translation_pb2.TranslateRequest.FromString,
        response_serializer=translation_pb2.TranslateResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((rpc.method_handlers_generic_handler(SERVICE, {"Translate": handler}),))
    port = server.add_insecure_port("localhost:0")
    await server.start()
    print(f"localhost:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
