"""Between the wire and the core: options of topics and brokers.

| API | versions | notes |
|---|---|---|
| DescribeConfigs | 1-4 | synonyms if asked for; types since 3 |
| AlterConfigs | 0-2 | replaces all options of the resource (KIP-133) |
| IncrementalAlterConfigs | 0-1 | changes single options (KIP-339) |
"""

from __future__ import annotations

from impl.api.translation import Translation
from impl.core.cluster.messages import (
    SET,
    AlterConfigs,
    AlteredConfigs,
    ConfigChange,
    DescribeConfigs,
    DescribedConfig,
    DescribedConfigs,
    Resource,
)
from impl.wire import Request, Struct


def _resource(each: Struct) -> Resource:
    return Resource(each.resource_type, each.resource_name)


def _read_describe(request: Request, _client_host: str) -> DescribeConfigs:
    return DescribeConfigs(
        tuple(
            (
                _resource(each),
                None if each.configuration_keys is None else tuple(each.configuration_keys),
            )
            for each in request.body.resources
        )
    )


def _write_describe(request: Request, result: DescribedConfigs) -> Struct:
    return Struct(
        results=[
            Struct(
                error_code=each.error,
                error_message=each.message,
                resource_type=each.resource.type,
                resource_name=each.resource.name,
                configs=[_write_config(request, config) for config in each.configs],
            )
            for each in result.resources
        ]
    )


def _write_config(request: Request, config: DescribedConfig) -> Struct:
    synonyms = config.synonyms if request.body.include_synonyms else ()
    return Struct(
        name=config.name,
        value=config.value,
        read_only=config.is_read_only,
        config_source=config.source,
        synonyms=[Struct(name=s.name, value=s.value, source=s.source) for s in synonyms],
        config_type=config.type,
        documentation=None,
    )


def _read_alter(request: Request, _client_host: str) -> AlterConfigs:
    return AlterConfigs(
        tuple(
            (_resource(each), tuple(ConfigChange(c.name, SET, c.value) for c in each.configs))
            for each in request.body.resources
        ),
        request.body.validate_only,
        replaces_all=True,
    )


def _read_incremental_alter(request: Request, _client_host: str) -> AlterConfigs:
    return AlterConfigs(
        tuple(
            (
                _resource(each),
                tuple(ConfigChange(c.name, c.config_operation, c.value) for c in each.configs),
            )
            for each in request.body.resources
        ),
        request.body.validate_only,
    )


def _write_alter(_request: Request, result: AlteredConfigs) -> Struct:
    return Struct(
        responses=[
            Struct(
                error_code=each.error,
                error_message=each.message,
                resource_type=each.resource.type,
                resource_name=each.resource.name,
            )
            for each in result.resources
        ]
    )


CONFIG_APIS = {
    "DescribeConfigs": Translation(_read_describe, _write_describe, range(1, 5)),
    "AlterConfigs": Translation(_read_alter, _write_alter, range(3)),
    "IncrementalAlterConfigs": Translation(_read_incremental_alter, _write_alter, range(2)),
}
