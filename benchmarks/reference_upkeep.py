"""The reference's maintenance: a plain list of tickets, trips, spares (6.5, 8.1, 5.2.9)."""

from __future__ import annotations

from collections.abc import Generator
from math import ceil, inf, isnan
from typing import TYPE_CHECKING, Any

import simpy

from benchmarks.reference_people import People, Process, Worker
from benchmarks.trace import Trace
from twin.alarmcore.device_rules import ticket_deadline_s
from twin.center.maintenance import GOLDEN, LOOK_AGAIN_S, PLANNED_WITHIN_S
from twin.center.spares import LEAST_STOCK
from twin.log import LogWriter
from twin.terms import Kind, Role, Ticket
from twin.world.condition import BATTERY_EMPTY

if TYPE_CHECKING:
    from benchmarks.reference import World
    from benchmarks.reference_vendor import Device

BATTERY = "battery"


class Todo:
    """A ticket."""

    def __init__(self, device: Device, ticket: Ticket, now: float, ready: float) -> None:
        self.device, self.ticket, self.received, self.ready = device, ticket, now, ready
        self.venue = device.facts.venue
        deadline = ticket_deadline_s(ticket)
        self.due = now + (PLANNED_WITHIN_S if isnan(deadline) else deadline)
        self.open, self.taken, self.missing = True, False, False
        self.visit = True
        self.part = ""
        self.order = 0


class Upkeep(People):
    """People who look after the devices."""

    def __init__(self, env: simpy.Environment, log: LogWriter, trace: Trace, world: World) -> None:
        self.todo: list[Todo] = []
        self.queued = 0
        self.shelf: list[Todo] = []
        self.unrecorded: list[str] = []
        self.stock: dict[str, int] = {}
        self.full: dict[str, int] = {}
        self.delivery: set[str] = set()
        self.waiting: dict[str, list[Todo]] = {}
        self.cleaned: dict[int, float] = {}
        self.repairs: dict[Device, int] = {}
        super().__init__(env, log, trace, world)
        self.fill_stock()
        env.process(self.looks())

    def enabled(self, device: Device) -> None:
        """A device has been put in order."""
        raise NotImplementedError

    # -- tickets ----------------------------------------------------------------------------------

    def concerned(self, todo: Todo) -> list[str]:
        """Planned maintenance serves all points of a venue."""
        if todo.ticket is Ticket.PERIODIC:
            return [self.trace.devices[n].id for n in self.trace.points_of[todo.venue]]
        return [todo.device.facts.id]

    def find(self, device: Device, ticket: Ticket) -> Todo | None:
        """The open ticket of a device, among all."""
        for todo in self.todo:
            if todo.device is device and todo.ticket is ticket:
                return todo
        return None

    def open_ticket(self, device: Device, ticket: Ticket) -> Todo | None:
        """A ticket is opened, unless there is one."""
        if self.find(device, ticket) is not None:
            return None
        now = self.env.now
        patience = self.upkeep.patience if ticket is Ticket.OFFLINE else 0.0
        todo = Todo(device, ticket, now, now + patience)
        self.todo.append(todo)
        self.queue(todo)
        for name in self.concerned(todo):
            self.row(Kind.TICKET_OPENED, name, ticket, ticket_deadline_s(ticket))
        return todo

    def queue(self, todo: Todo) -> None:
        """Lets it be taken on a trip when it is ready."""
        self.queued += 1
        todo.order, todo.taken = self.queued, False

    def close(self, todo: Todo, finding: str = "") -> None:
        """Done, or over by itself."""
        todo.open = False
        self.todo.remove(todo)
        if todo in self.shelf:
            self.shelf.remove(todo)
        name = todo.device.facts.id
        if todo.ticket is Ticket.OFFLINE and todo.visit:
            if finding:
                self.row(Kind.TICKET_FINDING, name, finding)
            else:
                self.unrecorded.append(name)
        for name in self.concerned(todo):
            self.row(Kind.TICKET_CLOSED, name, todo.ticket)

    def offline(self, device: Device) -> None:
        """The platform has a device offline: a trip, unless it will come back by itself."""
        todo = self.open_ticket(device, Ticket.OFFLINE)
        if todo is None or device.own_known:
            return
        if device.last_area:
            self.env.process(self.triage(todo, device.last_area))
        elif self.world.comes_back_soon(device):
            self.env.process(self.triage(todo, "heartbeats lost on the radio"))

    def triage(self, todo: Todo, cause: str) -> Process:
        """An operator finds out from the screen why a device is offline: nobody has to go."""
        todo.visit = False
        yield self.env.timeout(self.upkeep.triage)
        self.row(Kind.TICKET_FINDING, todo.device.facts.id, cause)

    def own_fault(self, device: Device) -> None:
        """A device is offline by its own fault: somebody has to go, under a ticket of its own."""
        todo = self.find(device, Ticket.OFFLINE)
        if todo is not None and not todo.visit:
            self.close(todo)
        self.open_ticket(device, Ticket.OFFLINE)

    def online(self, device: Device) -> None:
        """The platform has it back, whether somebody is on the way or not."""
        todo = self.find(device, Ticket.OFFLINE)
        if todo is not None:
            self.close(todo)

    def records_returned(self) -> None:
        """Whoever looks at the list records what came back without a visit."""
        for name in self.unrecorded:
            self.row(Kind.TICKET_FINDING, name, "back by itself")
        self.unrecorded.clear()

    # -- trips ------------------------------------------------------------------------------------

    def looks(self) -> Process:
        """Somebody looks at the list every hour."""
        while True:
            self.send_idle()
            yield self.env.timeout(LOOK_AGAIN_S)

    def send_idle(self) -> None:
        """Sends whoever has nothing to do."""
        staffed = False
        for worker in self.staff.values():
            if worker.role is Role.MAINTENANCE and worker.on_duty:
                staffed = True
                busy = worker.on_alarm or worker.away or worker.trip is not None
                if not busy:
                    self.records_returned()
                    if not self.sends(worker):
                        return
        if self.upkeep.by_duty and not staffed:
            while idle := next((n for n in self.desk.free if self.may_leave(n)), None):
                if self.at_desk < 2:
                    return
                self.records_returned()
                if not self.sends(self.staff[idle]):
                    return

    def sends(self, worker: Worker) -> bool:
        """Starts a trip; False where there is nothing to do."""
        jobs: list[Todo] = []
        left = min(self.upkeep.trip_length, worker.until - self.env.now)
        while left > 0.0 and (found := self.chooses(left, not jobs)):
            found = [todo for todo in found if self.loads(todo)]
            left -= sum(map(self.work, found))
            jobs += found
        if not jobs:
            return False
        if worker.role is Role.DUTY:
            self.gets_up(worker, "maintenance")
        self.takes_vehicle(worker, self.place(jobs[0]))
        worker.trip = self.env.process(self.travels(worker, jobs, worker.until))
        return True

    def place(self, todo: Todo) -> int:
        """Where it is."""
        return int(self.trace.place.place_of[todo.venue])

    def chooses(self, seconds: float, whatever: bool) -> list[Todo]:
        """The most urgent ticket, and others of its square while time is left."""
        now, squares = self.env.now, self.trace.squares
        fresh = [
            t for t in self.todo
            if not t.taken and t.visit and t.ready <= now and t not in self.shelf
        ]  # fmt: skip
        self.shelf += sorted(fresh, key=lambda t: (t.ready, t.order))
        if not self.shelf:
            return []
        first = min(self.shelf, key=lambda t: t.due)
        left = seconds - self.work(first)
        if left < 0.0 and not whatever:
            return []
        near = [t for t in self.shelf if squares[t.venue] == squares[first.venue]]
        taken = [first]
        for venue in dict.fromkeys([first.venue, *(t.venue for t in near)]):
            for todo in near:
                if todo.venue == venue and todo is not first and left >= 0.0:
                    left -= self.work(todo)
                    if left >= 0.0:
                        taken.append(todo)
        for todo in taken:
            self.shelf.remove(todo)
            todo.taken = True
        return taken

    def work(self, todo: Todo) -> float:
        """Seconds on site."""
        upkeep = self.upkeep
        each = {
            Ticket.BATTERY: upkeep.battery_swap,
            Ticket.OFFLINE: upkeep.repair,
            Ticket.FAULT: upkeep.repair,
            Ticket.CLEANING: upkeep.cleaning,
            Ticket.HAZARD: upkeep.cleaning,
            Ticket.PERIODIC: upkeep.inspection,
            Ticket.END_OF_LIFE: upkeep.battery_swap,
        }[todo.ticket]
        periodic = todo.ticket is Ticket.PERIODIC
        return each * (len(self.trace.points_of[todo.venue]) if periodic else 1)

    def travels(self, worker: Worker, jobs: list[Todo], end: float) -> Process:
        """A trip, the nearest place next."""
        there = {self.place(todo): None for todo in jobs}
        while there and self.env.now < end:
            place = self.trace.ways.nearest(worker.place, there)
            del there[place]
            yield from self.drives(worker, place)
            mine = [todo for todo in jobs if self.place(todo) == place]
            yield from self.serves(worker, mine)
        for todo in jobs:
            if todo.open or todo.part:
                self.back_on_the_list(todo)
        yield from self.drives(worker, 0)
        worker.trip, worker.leg, worker.place = None, None, 0
        self.returns_vehicle(worker)
        if worker.role is Role.DUTY:
            self.sits_again(worker)
        elif self.env.now >= worker.until:
            self.off(worker)
        self.give_orders()
        self.send_idle()

    def back_on_the_list(self, todo: Todo) -> None:
        """What a trip did not do waits again, and its spare goes back into the stock."""
        if todo.part:
            self.stock[todo.part] += 1
            self.came(todo.part, 1)
            todo.part = ""
        if todo.open:
            self.queue(todo)

    def drives(self, worker: Worker, place: int) -> Process:
        """To a place; after an alarm, from there."""
        while worker.place != place:
            seconds = self.seconds_by(worker, worker.place, place)
            worker.leg = (worker.place, place, self.env.now, seconds)
            if (yield from self.undisturbed(worker, seconds)) == 0.0:
                worker.place, worker.leg = place, None

    def serves(self, worker: Worker, jobs: list[Todo]) -> Process:
        """The work at a place; after an alarm, the rest of it."""
        left, place = sum(self.work(todo) for todo in jobs if todo.open), worker.place
        while left > 0.0:
            left = yield from self.undisturbed(worker, left)
            if left > 0.0:
                yield from self.drives(worker, place)
        for todo in jobs:
            if todo.open:
                self.does(todo)

    def undisturbed(
        self, worker: Worker, seconds: float
    ) -> Generator[simpy.events.Event, Any, float]:
        """Until done, or until free again after an alarm; what remains."""
        began = self.env.now
        try:
            yield self.env.timeout(seconds)
        except simpy.Interrupt:
            left = max(seconds - (self.env.now - began), 1e-3)
        else:
            return 0.0
        while worker.released is not None:
            waits = worker.released
            try:
                yield waits
            except simpy.Interrupt:
                continue
            if worker.released is waits:
                worker.released = None
        return left

    def does(self, todo: Todo) -> None:
        """Work at a device: with it goes whatever else is open there."""
        if todo.ticket is Ticket.PERIODIC:
            self.close(todo)
            self.cleaned[todo.venue] = self.env.now
            for number in self.trace.points_of[todo.venue]:
                if self.world.devices[number].broken:
                    self.open_ticket(self.world.devices[number], Ticket.FAULT)
            return
        device, name = todo.device, todo.device.facts.id
        battery = todo.part == BATTERY
        exchanged = bool(todo.part) and not battery and (
            device.broken or todo.ticket in (Ticket.END_OF_LIFE, Ticket.FAULT)
        )  # fmt: skip
        empty = BATTERY_EMPTY in (device.dead_cause, device.cuts[0][1] if device.cuts else "")
        if empty and not (battery or exchanged):
            self.open_ticket(device, Ticket.BATTERY)  # the next trip brings one
            self.back_on_the_list(todo)
            return
        if battery or exchanged:
            self.row(Kind.SPARE_USED, name, todo.part, float(self.stock[todo.part]))
            todo.part = ""
        for other in [t for t in self.todo if t.device is device]:
            if other.ticket is Ticket.BATTERY and not (battery or exchanged):
                continue
            if other.ticket is Ticket.END_OF_LIFE and not exchanged:
                continue
            if not other.visit:
                continue  # no visit brings a cell back
            if other.ticket is not Ticket.PERIODIC:
                self.close(other, self.finding(device))
        self.repairs[device] = self.repairs.get(device, 0) + 1
        self.world.restore(device, battery, exchanged)
        self.enabled(device)

    def finding(self, device: Device) -> str:
        """Why a device was offline."""
        if device.dead_since < inf:
            return device.dead_cause
        return device.cuts[0][1] if device.cuts else "heartbeats lost on the radio"

    # -- spares -----------------------------------------------------------------------------------

    def fill_stock(self) -> None:
        """A full stock of every kind's devices, and of batteries."""
        spares = self.settings.spares
        number: dict[str, int] = {}
        for d in self.trace.devices:
            number[d.kind] = number.get(d.kind, 0) + 1
            if d.battery < inf:
                number[BATTERY] = number.get(BATTERY, 0) + 1
        for part, n in number.items():
            share = spares.batteries if part == BATTERY else spares.share
            self.full[part] = self.stock[part] = max(LEAST_STOCK, ceil(share * n))

    def loads(self, todo: Todo) -> bool:
        """Takes the spare along; where there is none the ticket waits for the delivery."""
        part = ""
        known_empty = self.find(todo.device, Ticket.BATTERY) is not None
        if todo.ticket is Ticket.BATTERY or (todo.ticket is Ticket.OFFLINE and known_empty):
            part = BATTERY
        elif todo.ticket is Ticket.END_OF_LIFE or (
            todo.ticket in (Ticket.FAULT, Ticket.OFFLINE) and self.needs_spare(todo.device)
        ):
            part = todo.device.facts.kind
        if not part:
            return True
        if self.stock[part] == 0:
            if not todo.missing:
                todo.missing = True
                self.row(Kind.SPARE_MISSING, todo.device.facts.id, part)
            self.waiting.setdefault(part, []).append(todo)
            return False
        self.stock[part] -= 1
        todo.part = part
        self.orders_spares(part)
        return True

    def needs_spare(self, device: Device) -> bool:
        """Whether a repair is an exchange, one repair after the other."""
        luck = device.facts.exchange + GOLDEN * self.repairs.get(device, 0)
        return luck % 1.0 < self.upkeep.exchange_share

    def came(self, part: str, number: int) -> None:
        """Parts are there for so many of the tickets that wait for one."""
        waiting = self.waiting.get(part, [])
        while waiting and number > 0:
            todo = waiting.pop(0)
            if todo.open:
                self.queue(todo)
                number -= 1

    def orders_spares(self, part: str) -> None:
        """Orders what brings the stock back to full, below the reorder point."""
        if part in self.delivery:
            return
        if self.stock[part] <= self.settings.spares.reorder_share * self.full[part]:
            number = self.full[part] - self.stock[part]
            self.delivery.add(part)
            self.row(Kind.SPARE_ORDERED, part, value=float(number))
            self.env.process(self.delivers(part, number))

    def delivers(self, part: str, number: int) -> Process:
        """A delivery."""
        yield self.env.timeout(self.settings.spares.lead_time)
        self.delivery.remove(part)
        self.stock[part] += number
        self.row(Kind.SPARE_RECEIVED, part, value=float(number))
        self.came(part, number)
        self.orders_spares(part)
