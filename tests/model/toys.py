"""Machines small enough to count by hand."""

from model.lang import Bool, Bound, Machine, Map, Range, Record, Set, Sort, every, needs, set_of


class Level(Range):
    """Litres in a jug of five."""

    low, high = 0, Bound("jug")


class Jugs(Record):
    """One jug."""

    water: Level


def jug(fill_only_when_empty: bool = False) -> Machine[Jugs]:
    """A jug that is filled and emptied a litre at a time: jug + 1 states in a row."""
    machine = Machine("jug", Jugs, "a jug")

    @machine.initial
    def empty(s: Jugs) -> None:
        s.water = Level(0)

    @machine.action("STOR-01")
    def pour(s: Jugs) -> None:
        """A litre more."""
        needs(
            has_room=s.water < Bound("jug"), is_empty=(s.water == 0) | ~Bool(fill_only_when_empty)
        )
        s.water += 1

    @machine.always("STOR-01", broken_by="pour.has_room")
    def never_full(s: Jugs) -> Bool:
        """The jug is never full."""
        return s.water < Bound("jug")

    @machine.sometimes("STOR-01")
    def half_full(s: Jugs) -> Bool:
        """Two litres."""
        return s.water == 2

    machine.scope("default", why="by hand", jug=5)
    return machine


class Room(Sort):
    """A room with a light."""

    size = Bound("rooms")


class House(Record):
    """Who switched on what."""

    lit: Map[Room, Level]
    visited: Set[Room]


def house() -> Machine[House]:
    """Each room's light is switched on once: 2^rooms states."""
    machine = Machine("house", House, "a house")

    @machine.initial
    def dark(s: House) -> None:
        s.visited = s.visited - s.visited

    @machine.action("STOR-01")
    def enter(s: House, room: Room) -> None:
        """Somebody enters a room and switches the light on."""
        needs(is_new=~s.visited.has(room))
        s.visited = s.visited | set_of(room)
        s.lit[room] += 1

    @machine.always("STOR-01", broken_by="enter.is_new")
    def lit_once(s: House) -> Bool:
        """No light is switched on twice, and only where somebody was."""
        return every(
            Room,
            lambda r: (s.lit[r] <= 1) & (s.visited.has(r) == (s.lit[r] == 1)),
        )

    machine.scope("default", why="by hand", rooms=4, jug=2)
    return machine
