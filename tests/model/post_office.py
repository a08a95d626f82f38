"""A machine in which every type and operation of the language occurs, for the exports."""

from model.lang import (
    Bag,
    Bool,
    Bound,
    Enum,
    Machine,
    Map,
    Option,
    Range,
    Record,
    Seq,
    Set,
    Sort,
    Value,
    each,
    every,
    exists,
    greatest_of,
    if_else,
    implies,
    leads_to,
    least_of,
    needs,
    none,
    set_of,
    smallest,
    some,
    those,
)
from model.lang.machine import LeadsTo


class Clerk(Sort):
    """Somebody behind the counter."""

    size = Bound("clerks")


class Kind(Enum):
    """What is sent."""

    LETTER = Value()
    PARCEL = Value()


class Weight(Range):
    """Below 0 it is not known."""

    low, high = -1, Bound("heaviest")


class Item(Record):
    """Something that is sent."""

    kind: Kind
    weight: Weight


class Counter(Bag[Item]):
    """What customers have put down."""

    capacity = Bound("room")


class Tray(Bag[Item]):
    """What was sorted."""

    capacity = 1


class Shelf(Seq[Item]):
    """What is to be sent."""

    capacity = Bound("room")


class State(Record):
    """The post office; `value` is a name that the export uses too."""

    counter: Counter
    trays: Map[Kind, Tray]
    shelf: Shelf
    desk: Map[Clerk, Item]
    busy: Map[Clerk, Option[Kind]]
    idle: Set[Clerk]
    seen: Map[Kind, Bool]
    value: Weight


machine = Machine("post-office", State, "a post office")


@machine.initial
def open_and_empty(s: State) -> None:
    s.idle = those(Clerk, lambda c: s.busy[c].is_none)


@machine.action("STOR-01")
def customer_brings(s: State, kind: Kind, weight: Weight) -> None:
    """A letter weighs little, and nobody brings what is there already."""
    item = Item(kind=kind, weight=weight)
    needs(
        has_room=s.counter.size < Bound("room"),
        is_light=implies(kind == Kind.LETTER, weight < 1),
        is_new=~s.counter.has(item) & every(s.counter, lambda other: other.kind != kind),
        is_weighed_or_small=(weight >= 0) | (kind == Kind.LETTER),
    )
    s.counter.add(item)
    s.seen = each(Kind, lambda k: s.seen[k] | (k == kind))


@machine.action("STOR-01", item=lambda s: s.counter)
def clerk_takes(s: State, clerk: Clerk, item: Item) -> None:
    """A clerk who is idle takes something from the counter."""
    needs(is_idle=s.idle.has(clerk))
    s.counter.remove(item)
    s.desk[clerk] = item
    s.busy[clerk] = some(item.kind)
    s.idle = those(Clerk, lambda c: s.busy[c].is_none)


@machine.action("STOR-01")
def clerk_shelves(s: State, clerk: Clerk) -> None:
    """What a clerk has is put on the shelf; of what is there only the first thing stays."""
    mine = s.desk[clerk]
    needs(
        has_something=s.busy[clerk].is_some,
        has_room=(s.shelf.length < Bound("room")) & (s.shelf.is_empty | (s.shelf.last != mine)),
    )
    s.shelf = s.shelf.upto(
        if_else(s.busy[clerk].value == Kind.PARCEL, s.shelf.length, s.shelf.length - 1)
    )
    s.shelf.append(mine)
    s.value = greatest_of(s.value, least_of(mine.weight, s.shelf[0].weight))
    s.busy[clerk] = none(Kind)
    s.idle |= set_of(clerk)
    mine.weight = Weight(-1)
    mine.kind = Kind.LETTER


@machine.action("STOR-01", item=lambda s: s.counter)
def postman_sorts(s: State, item: Item) -> None:
    """Something on the counter goes straight into a tray, unless a clerk could shelve it."""
    lightest = smallest(Weight, lambda w: exists(s.counter, lambda i: i.weight == w), Weight(0))
    needs(
        is_the_lightest=item.weight == lightest,
        has_room=s.trays[item.kind].size < 1,
        nobody_is_idle=s.idle.size == 0,
    )
    s.counter.remove(item)
    s.trays[item.kind].add(item)


@machine.action("STOR-01")
def postman_empties(s: State, kind: Kind, weight: Weight) -> None:
    """A tray with this is emptied, and what was seen of its kind is forgotten."""
    needs(is_there=s.trays[kind].has(Item(kind=kind, weight=weight)))
    s.trays[kind].remove(Item(kind=kind, weight=weight))
    s.seen[kind] = Bool(False)
    s.value = Weight(-1)


@machine.ends
def nothing_is_left(s: State) -> Bool:
    """Nobody waits."""
    return (s.counter.size == 0) & every(Clerk, lambda c: s.busy[c].is_none)


@machine.always("STOR-01", broken_by="clerk_takes.is_idle")
def who_is_busy_is_not_idle(s: State) -> Bool:
    """A clerk is idle or busy."""
    return every(Clerk, lambda c: s.busy[c].is_none == s.idle.has(c))


@machine.always("STOR-01", broken_by="clerk_shelves.has_room")
def the_shelf_has_no_two_neighbours_that_are_equal(s: State) -> Bool:
    """What lies side by side differs."""
    return implies(s.shelf.length > 1, s.shelf[0] != s.shelf[1])


@machine.sometimes("STOR-01")
def a_parcel_is_sorted(s: State) -> Bool:
    """A parcel is in a tray."""
    return exists(s.trays[Kind.PARCEL], lambda item: item.kind == Kind.PARCEL)


@machine.eventually(
    "STOR-01", fair=["clerk_shelves(clerk)"], broken_by="fair clerk_shelves(clerk)"
)
def what_can_be_shelved_is_shelved(s: State) -> Bool:
    """There is always a time at which each clerk is idle, or cannot put anything on the shelf."""
    return every(
        Clerk,
        lambda c: s.idle.has(c) | (s.shelf.length == Bound("room")) | (s.shelf.last == s.desk[c]),
    )


@machine.eventually(
    "STOR-01",
    fair=["clerk_shelves"],
    strongly_fair=["clerk_takes(clerk)"],
    broken_by="fair clerk_takes(clerk)",
)
def what_was_brought_is_taken(s: State) -> LeadsTo:
    """What stands on the counter does not wait for ever while somebody is idle."""
    return leads_to(
        (s.counter.size > 0) & (s.idle.size > 0), (s.counter.size == 0) | (s.idle.size == 0)
    )


machine.scope("default", why="room for two", states=3_445, clerks=1, heaviest=0, room=2)
machine.scope("wide", why="two of everything", states=108_914, clerks=2, heaviest=1, room=2)
