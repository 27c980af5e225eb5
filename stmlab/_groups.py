"""Every knob of the simulated microscope, declared once: default, unit, bounds and meaning."""

from pydantic import field_validator

from ._tree import Group, option, quantity, text

# Atoms in each plane of a tungsten tip, counted from its lowest atom; plane 0 is the lowest.
PLANE_ATOMS = {"111": (1, 3, 1, 6), "001": (1, 4)}


class Sample(Group):
    """The WSe2 sheet and how its electrons are modelled."""

    model: str = option(
        "single-orbital", ("single-orbital", "fang-2015", "silva-guillen-2016", "*.toml"),
        "tight-binding model of the sheet, or the path of a table of your own")
    fermi: str = option(
        "neutral", ("neutral", "valence", "conduction", "zero"),
        "where zero bias lies: the level of a neutral sheet (mid-gap if there is a gap), a band edge, the model's zero")
    fermi_offset: float = quantity(0.0, "eV", -3.0, 3.0, "Fermi level above that reference")
    lattice_constant: float = quantity(3.32, "Å", 3.0, 3.6, "in-plane lattice constant")
    thickness: float = quantity(3.36, "Å", 3.0, 3.7, "distance between the two selenium planes")
    broadening: float = quantity(0.1, "eV", 0.005, 1.0, "standard deviation of the Gaussian that broadens each level")


class Defects(Group):
    """Point defects: each site is one with probability density times area per site."""

    se_vacancy_top: float = quantity(0.003, "1/Å²", 0.0, 0.02, "missing selenium atoms in the top layer")
    se_vacancy_bottom: float = quantity(0.001, "1/Å²", 0.0, 0.02, "missing selenium atoms in the bottom layer")
    dopant_top: float = quantity(0.0, "1/Å²", 0.0, 0.02, "dopants on selenium sites of the top layer")
    dopant_bottom: float = quantity(0.0, "1/Å²", 0.0, 0.02, "dopants on selenium sites of the bottom layer")
    w_vacancy: float = quantity(0.0, "1/Å²", 0.0, 0.02, "missing tungsten atoms")
    oxygen_top: float = quantity(0.0, "1/Å²", 0.0, 0.02, "oxygen on selenium sites of the top layer")
    oxygen_bottom: float = quantity(0.0, "1/Å²", 0.0, 0.02, "oxygen on selenium sites of the bottom layer")
    w_substitution: float = quantity(0.0, "1/Å²", 0.0, 0.02, "foreign atoms on tungsten sites")
    charged_dopant: float = quantity(0.0, "1/Å²", 0.0, 0.02, "charged dopants, centred on tungsten sites")
    dopant_potential: float = quantity(0.3, "eV", -3.0, 3.0, "shift of the on-site energy at a dopant")
    oxygen_potential: float = quantity(-3.0, "eV", -9.0, 9.0, "shift of the on-site energy at an oxygen atom")
    oxygen_depth: float = quantity(0.7, "Å", 0.0, 1.5, "how much deeper oxygen sits than selenium")
    substitution_potential: float = quantity(1.0, "eV", -9.0, 9.0, "shift of the on-site energy on a tungsten site")
    charge_potential: float = quantity(
        0.1, "eV", -1.0, 1.0, "shift of all energies at a charged dopant; positive for a negative charge")
    charge_radius: float = quantity(10.0, "Å", 3.0, 100.0, "distance over which that shift falls to exp(-1/2)")


class Tip(Group):
    """The tungsten tip."""

    apex: str = text(
        "111-1-OXX",
        "ORIENTATION-PLANE-KEEP: axis 111 or 001, lowest plane left, O keeps and X removes each atom of it")
    rotation: float = quantity(0.0, "deg", -360.0, 360.0, "counter-clockwise rotation about the tip's axis")
    tilt: float = quantity(0.0, "deg", 0.0, 30.0, "angle between the tip's axis and the normal of the sample")
    azimuth: float = quantity(0.0, "deg", -360.0, 360.0, "direction in which the top of the tip leans, from x to y")
    model: str = option(
        "tungsten-single-orbital", ("tungsten-single-orbital", "tungsten-spd"), "tight-binding model of the tip")
    depth: float = quantity(1.0, "Å", 0.0, 4.0, "atoms up to this far above the lowest one also carry current")

    @field_validator("apex")
    @classmethod
    def _apex_exists(cls, apex):
        axis, plane, keep = (apex.split("-") + ["", ""])[:3] if apex.count("-") == 2 else ("", "", "")
        planes = PLANE_ATOMS.get(axis)
        if planes is None or plane not in map(str, range(len(planes))):
            raise ValueError("is no ORIENTATION-PLANE-KEEP with 111 and plane 0 to 3, or 001 and plane 0 or 1; "
                             "choose one such as 111-1-OXX")
        atoms = planes[int(plane)]
        if len(keep) != atoms or set(keep) - set("OX") or "O" not in keep:
            raise ValueError(f"does not fit plane {plane} of {axis}; choose {atoms} letters O (keep) or X (remove), "
                             "at least one O")
        return apex


class Junction(Group):
    """The vacuum junction between tip and sample."""

    bias: float = quantity(0.5, "V", -3.0, 3.0, "sample voltage, never 0; positive probes empty sample states")
    work_function: float = quantity(4.5, "eV", 1.0, 8.0, "mean height of the tunnelling barrier")
    barrier: str = option(
        "flat", ("flat", "tilted"), "tilted: a bias lowers the mean height of the barrier by half of it")
    height: float = quantity(
        5.0, "Å", 2.5, 12.0,
        "start height of the lowest tip atom above the top Se plane; the median current there is the setpoint")
    temperature: float = quantity(4.2, "K", 0.0, 1000.0, "temperature of the electrons in tip and sample")

    @field_validator("bias")
    @classmethod
    def _bias_drives_a_current(cls, bias):
        if abs(bias) < 0.001:
            raise ValueError("drives no current; choose a magnitude of at least 0.001 V")
        return bias


class Raster(Group):
    """The frame and the order in which the tip visits its pixels."""

    width: float = quantity(30.0, "Å", 5.0, 500.0, "size of the frame along the fast axis")
    height: float = quantity(30.0, "Å", 5.0, 500.0, "size of the frame along the slow axis")
    pixels: int = quantity(64, "", 2, 2048, "pixels along the fast axis")
    lines: int = quantity(64, "", 2, 2048, "lines along the slow axis")
    angle: float = quantity(0.0, "deg", -360.0, 360.0, "counter-clockwise rotation of the frame")
    line_time: float = quantity(0.25, "s", 0.001, 60.0, "time for one trace; the retrace takes as long")
    direction: str = option("up", ("up", "down"), "whether the slow axis starts at the bottom or the top")


class Feedback(Group):
    """The loop that moves the tip to hold the current."""

    loop_gain: float = quantity(
        0.3, "", 0.0, 2.5, "2 kappa Ki dt: share of the height error removed per update; 1 = dead-beat, 2 = unstable")
    kp: float = quantity(0.0, "Å", 0.0, 5.0, "proportional gain, per unit of ln I")
    kd: float = quantity(0.0, "Å s", 0.0, 1.0, "derivative gain, per unit of ln I")
    steps_per_pixel: int = quantity(8, "", 1, 64, "controller updates per pixel")


class Piezo(Group):
    """The scanner and what it does besides what was commanded."""

    drift_x: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along x")
    drift_y: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along y")
    drift_z: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along z")
    sensitivity: float = quantity(50.0, "Å/V", 1.0, 1000.0, "nominal calibration of the z piezo")


class Noise(Group):
    """What disturbs the measurement."""

    current: float = quantity(0.02, "", 0.0, 1.0, "relative rms noise of the current at each controller update")
