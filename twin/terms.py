"""The words that travel between the parts: views, event kinds, categories, alarm states.

This module imports nothing of the project. The table in :class:`Kind` is the contract of the
event log: whoever writes a log (the simulation, a load test, a real center's export) uses these
kinds with these meanings, and every figure is computed from them.

Columns of a log row: ``time`` (int64, microseconds, UTC), ``seq`` (order within the log),
``center``, ``subject``, ``kind``, ``view``, ``message`` (id, 0 = none), ``alarm`` (id, 0 = none,
unique within its center), ``value`` (float, NaN = none), ``text`` ("" = none).
"""

from enum import StrEnum


class View(StrEnum):
    """Who holds a row to be true."""

    TRUTH = "truth"
    """What really happened; only a simulation knows it."""
    VENDOR = "vendor"
    """What a vendor platform believes of its devices."""
    PLATFORM = "platform"
    """What the on-site platform (the alarm core) received, believes or recorded."""


class Category(StrEnum):
    """What an alarm is about, as the alarm core sees it; device kinds map to these."""

    FIRE = "fire"
    GAS = "gas"
    ELECTRICAL = "electrical"
    WATER = "water"
    PASSAGE = "passage"
    GATEWAY = "gateway"


class Annotation(StrEnum):
    """The classes of clause 6.4; class 4 (false alarm) has two kinds."""

    INCIPIENT_FIRE = "incipient_fire"
    CONFIRMED_FIRE = "confirmed_fire"
    TEST = "test"
    FALSE_NUISANCE = "false_alarm_nuisance"
    FALSE_FAULT = "false_alarm_fault"


FALSE_ALARMS = (Annotation.FALSE_NUISANCE, Annotation.FALSE_FAULT)
"""Annotations that count as false alarms; a test is not one (clause 6.4)."""


class Verification(StrEnum):
    """How a verification by telephone (or video) ended (clauses 6.1, 6.2)."""

    CONFIRMED = "confirmed"
    NOT_A_FIRE = "not_a_fire"
    TEST = "test"
    NOBODY_REACHED = "nobody_reached"
    UNCLEAR = "unclear"


class Ticket(StrEnum):
    """Kinds of maintenance ticket; a device has at most one open ticket of each kind."""

    BATTERY = "battery"
    """Low battery: changed within 24 h (6.5)."""
    OFFLINE = "offline"
    """Offline: the situation found out and recorded, maintained within 48 h (6.5)."""
    FAULT = "fault"
    """A fault that the device reported (8.1)."""
    CLEANING = "cleaning"
    """Contamination that the device reported (8.1)."""
    HAZARD = "hazard"
    """An early warning or supervisory signal to look into on site (6.3)."""
    PERIODIC = "periodic"
    """Planned test and cleaning (8.1)."""
    END_OF_LIFE = "end_of_life"
    """Replacement at the end of the device's life (8.1)."""


class Kind(StrEnum):
    """Kinds of log row. Each line says: subject; value; text (``-`` where unused)."""

    # -- registry, at the start of the period, view platform
    PERIOD_START = "period_start"
    """center; length of the period in s; IANA time zone."""
    ALARM_OPEN = "alarm_open"
    """venue; seconds since its first message; ``raised``, ``responded`` or ``verified``. With the
    alarm id: it was raised before the period, where it counts, and is open when the period begins.
    Its messages of the period count in the period."""
    PERIOD_END = "period_end"
    """center; for how many s after it alarms were followed (NaN: not at all); -. At the end of the
    period. Rows with an alarm id may come after it, for so long."""
    VENUE = "venue"
    """venue; number of responsible people registered; venue kind."""
    DEVICE = "device"
    """device; 1 if it is a networked point (5.1.12), 0 for gateways; JSON object with ``kind``,
    ``category`` (:class:`Category`), ``venue``, ``vendor``, ``conforms`` (bool, 4.10). A device
    that is added or removed later has the row at that time."""
    DEVICE_REMOVED = "device_removed"
    """device; -; -."""
    PERSON = "person"
    """person; training hours a year; JSON object with ``role`` (``duty`` or ``maintenance``),
    ``trained`` (bool: before the post, 4.5), ``team``."""
    CHECKLIST = "checklist"
    """item key, which starts with its clause (``5.1.5.floor_area``); a number, or 1 for yes and
    0 for no; what is present, in words."""
    EDGE_POINT = "edge_point"
    """point of the area's edge (``edge-001``); -; JSON object with ``lon``, ``lat`` (degrees,
    WGS-84) and, where a place near it has a name, ``near`` (the name), ``metres`` and ``bearing``
    (compass degrees) from there to the point."""
    EDGE_TIME = "edge_time"
    """point of the area's edge (``edge-001``); seconds from the dispatch order to it (turnout and
    travel, ordinary vehicle), inf where no road leads; ``free_flow``, or the worst hour of the
    week (``Fri 17:00``)."""
    EDGE_DISTANCE = "edge_distance"
    """point of the area's edge; metres from the center; ``straight`` or ``road``."""
    VENUE_TIME = "venue_time"
    """venue; seconds from the dispatch order to it; as EDGE_TIME."""
    HAZARD_DISTANCE = "hazard_distance"
    """hazard; metres from the center's boundary to its dangerous part; ``dangerous_chemicals`` or
    ``filling_station``."""
    HAZARD_BEARING = "hazard_bearing"
    """hazard; compass degrees in which the center lies as seen from the hazard; as above."""
    WIND = "wind"
    """sector where the wind comes from, in degrees (``225``); long-term frequency 0-1; -."""

    # -- what happens at the venues and in the devices
    FIRE = "fire"
    """truth. venue; fire id; cause. An incipient fire begins."""
    FIRE_MISSED = "fire_missed"
    """truth. venue; fire id; why: ``offline``, ``dead``, ``lost`` (telegram) - Annex D."""
    SIGNAL = "signal"
    """truth. device, message id; -; cause (``fire``, ``nuisance:cooking``, ``fault``, ``test``).
    A device signals an alarm; the FIRE_ALARM row with the same message is its arrival."""
    MESSAGE_LOST = "message_lost"
    """truth. device, message id; -; where (``radio``, ``vendor``, ``power``,
    ``offline``)."""

    # -- device states, in all three views; each begins and ends
    OFFLINE = "offline"
    """device; -; cause in the truth view. truth: it cannot report; vendor, platform: flagged."""
    ONLINE = "online"
    """device; -; -. Ends OFFLINE."""
    FAULT = "fault"
    """device; -; cause. truth: it cannot detect; platform: it reported a fault."""
    FAULT_CLEARED = "fault_cleared"
    """device; -; -. Ends FAULT."""
    DISABLED = "disabled"
    """device; -; reason. platform: disabled (屏蔽) by the center."""
    ENABLED = "enabled"
    """device; -; -. Ends DISABLED."""
    LOW_BATTERY = "low_battery"
    """device; -; -. platform: became known; truth: began."""
    BATTERY_CHANGED = "battery_changed"
    """truth. device; -; -. Ends LOW_BATTERY."""

    # -- other messages that the platform received (B.2.3)
    FIRE_ALARM = "fire_alarm"
    """platform. device, message, alarm; grade (1 = a single detector); category. The receipt of an
    alarm message of any :class:`Category`; clause 4.6 judges category ``fire``."""
    EARLY_WARNING = "early_warning"
    """platform. device; measured value; quantity."""
    SUPERVISORY = "supervisory"
    """platform. device; -; what."""
    ACTUATION = "actuation"
    """platform. device; -; what acted (``gas_valve_closed``, ``remote_trip``)."""
    OPERATION = "operation"
    """platform. device; -; what (``self_test``, ``water_use``, ``door_open``, ``mute``)."""

    # -- the procedure of clause 6, view platform, all with the alarm id
    NOTIFIED = "notified"
    """responsible person (``venue#1``); seconds since the first message; channel whose receipt
    came (``voice``, ``sms``, ``app``)."""
    NOT_NOTIFIED = "not_notified"
    """responsible person; -; why. No channel gave a receipt."""
    RESPONDED = "responded"
    """operator; -; -. Place, room and contacts are on the screen and read (6.1: 5 s)."""
    VERIFIED = "verified"
    """operator; -; :class:`Verification`. The decision is made (6.1: 1 min)."""
    FIRE_CONFIRMED = "fire_confirmed"
    """who confirmed; -; ``phone``, ``video``, ``on_scene``."""
    PLAN_STARTED = "plan_started"
    """operator; -; -. The emergency plan (6.2)."""
    DISPATCHED = "dispatched"
    """person; -; vehicle. The order to go. Its clock runs for 4.6 and 5.1.1."""
    STOOD_DOWN = "stood_down"
    """person; -; reason. The order is withdrawn."""
    ON_SCENE = "on_scene"
    """who; seconds since the order to that person; role: ``center``, ``grid_worker``,
    ``micro_fire_station``, ``owner``, ``brigade``."""
    EVACUATION = "evacuation"
    """who; -; -. People are led out (6.2)."""
    EMERGENCY_CALL = "emergency_call"
    """who; seconds since FIRE_CONFIRMED; -. 119 is called (6.2)."""
    CONFIRMED_SENT = "confirmed_sent"
    """grid worker or micro fire station; -; -. Gets the confirmed alarm (4.9)."""
    ANNOTATED = "annotated"
    """person; -; :class:`Annotation` (6.4)."""
    REPORT_FILED = "report_filed"
    """person; -; cause found, or ``scene_sealed``. Annex C."""
    REOPENED = "reopened"
    """venue; -; -. A message came after the verification had ended."""
    PLACED = "placed"
    """venue; -; -. The place of an alarm that was raised with the place unknown became known."""
    CLOSED = "closed"
    """person; -; -. The record is complete (8.3)."""
    DEADLINE_MISSED = "deadline_missed"
    """platform's own record. alarm: center, device tickets: device; seconds of the deadline; its
    name (``respond``, ``verify``, ``handle``, or the :class:`Ticket`)."""

    # -- maintenance, view platform; one open ticket per device and kind
    TICKET_OPENED = "ticket_opened"
    """device; deadline in s from now (NaN = none); :class:`Ticket`. The platform's receipt."""
    TICKET_FINDING = "ticket_finding"
    """device; -; what was found. The finding of an offline ticket (6.5)."""
    TICKET_CLOSED = "ticket_closed"
    """device; -; :class:`Ticket`."""
    SPARE_USED = "spare_used"
    """device; stock left; device kind."""
    SPARE_MISSING = "spare_missing"
    """device; -; device kind. A repair waits for a spare (5.2.9)."""
    SPARE_ORDERED = "spare_ordered"
    """device kind; number; -."""
    SPARE_RECEIVED = "spare_received"
    """device kind; number; -."""

    # -- people, view platform
    ON_DUTY = "on_duty"
    """person; -; role."""
    OFF_DUTY = "off_duty"
    """person; -; role."""
    LEFT_DESK = "left_desk"
    """duty person; -; ``dispatch``, ``maintenance`` or ``break``. On duty, not at the desk."""
    BACK_AT_DESK = "back_at_desk"
    """person; -; -."""
    ABSENT = "absent"
    """person; length of the shift in s; ``covered`` or ``not_covered``."""
    TRAINED = "trained"
    """person; hours; subject matter."""

    # -- surroundings
    CELL_DOWN = "cell_down"
    """truth. cell; -; -."""
    CELL_UP = "cell_up"
    """truth. cell; -; -."""
    POWER_CUT = "power_cut"
    """truth. feeder; -; -."""
    POWER_BACK = "power_back"
    """truth. feeder; -; -."""
    VENDOR_DOWN = "vendor_down"
    """truth. vendor; -; -."""
    VENDOR_UP = "vendor_up"
    """truth. vendor; -; -."""
    COMPLAINT = "complaint"
    """platform. venue; 1 if upheld, 0 if not; matter (11.2, D.1)."""
    RENEWAL = "renewal"
    """platform. venue; 1 renewed, 0 not; -. At the end of a contract (D.1)."""


class Role(StrEnum):
    """Roles of the center's people."""

    DUTY = "duty"
    MAINTENANCE = "maintenance"
