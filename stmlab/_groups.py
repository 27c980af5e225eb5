"""Every knob of the simulated microscope, declared once: default, unit, bounds and meaning."""

from pydantic import field_validator

from ._tree import Group, option, quantity, text

# Atoms in each plane of a tungsten tip, counted from its lowest atom; plane 0 is the lowest.
PLANE_ATOMS = {"111": (1, 3, 1, 6), "001": (1, 4)}


class Sample(Group):
    """The WSe2 sheet and how its electrons are modelled."""

    model: str = option(
        "single-orbital", ("single-orbital", "fang-2015", "silva-guillen-2016", "mos2-fang-2015", "*.toml"),
        "tight-binding model of the sheet, or the path of a table of your own")
    fermi: str = option(
        "neutral", ("neutral", "valence", "conduction", "zero"),
        "where zero bias lies: the level of a neutral sheet (mid-gap if there is a gap), a band edge, the model's zero")
    fermi_offset: float = quantity(0.0, "eV", -3.0, 3.0, "Fermi level above that reference")
    lattice_constant: float = quantity(3.32, "Å", 3.0, 3.6, "in-plane lattice constant")
    thickness: float = quantity(3.36, "Å", 3.0, 3.7, "distance between the two selenium planes")
    broadening: float = quantity(0.1, "eV", 0.005, 1.0, "standard deviation of the Gaussian that broadens each level")
    tilt_x: float = quantity(0.0, "deg", -5.0, 5.0, "angle at which the surface rises along x")
    tilt_y: float = quantity(0.0, "deg", -5.0, 5.0, "angle at which the surface rises along y")
    surface: str = option(
        "atoms", ("atoms", "painted"),
        "what is scanned: atoms and their states, or only the shapes of the group relief, which no model gives")


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
    charge_spread: float = quantity(
        1.0, "", 1.0, 100.0, "depth of the deepest charge, in parts of the shallowest: as much weaker, as much wider")
    charge_opposite: float = quantity(0.0, "", 0.0, 1.0, "share of the charged dopants with the opposite charge")


class Relief(Group):
    """Shapes that no band model gives, as seen in published images: phenomenological, and none unless asked for."""

    undulation: float = quantity(0.0, "Å", 0.0, 5.0, "rms of smooth random heights, which nothing labels")
    undulation_length: float = quantity(30.0, "Å", 5.0, 1000.0, "correlation length of these heights")
    clusters: float = quantity(0.0, "1/Å²", 0.0, 0.02, "places with bright clusters of adsorbates")
    cluster_members: float = quantity(0.0, "", 0.0, 20.0, "mean number of further clusters around each of them")
    cluster_height: float = quantity(2.0, "Å", 0.0, 20.0, "height of a cluster, a factor e^0.5 up or down")
    cluster_width: float = quantity(10.0, "Å", 1.0, 100.0, "standard deviation of its profile")
    cluster_rim: float = quantity(0.2, "", 0.0, 1.0, "strength of the dark rim around it")
    halos: float = quantity(0.0, "1/Å²", 0.0, 0.02, "faint bright halos with a core of dark spots")
    halo_height: float = quantity(0.05, "Å", -5.0, 5.0, "height of a halo")
    halo_width: float = quantity(15.0, "Å", 1.0, 100.0, "standard deviation of its profile")
    halo_core: float = quantity(0.1, "Å", -5.0, 5.0, "depth of the spots in its core")
    halo_dark: float = quantity(
        0.0, "", 0.0, 1.0, "share of halos that are dark with bright spots: twice as deep as high, and narrower")
    halo_spacing: float = quantity(6.0, "Å", 2.0, 20.0, "distance of neighbouring spots")
    corrugation: float = quantity(
        0.0, "Å", -5.0, 5.0, "height of the spots of a lattice with the constant of the sample; below 0: holes")
    depressions: float = quantity(0.0, "1/Å²", 0.0, 0.02, "dark round places, as charged defects make them")
    depression_depth: float = quantity(0.2, "Å", 0.0, 20.0, "depth of a depression, by up to 40 % more or less")
    depression_width: float = quantity(6.0, "Å", 1.0, 100.0, "standard deviation of its profile, a half up or down")
    depression_weak: float = quantity(0.5, "", 0.0, 1.0, "share of them that is weaker, down to an eighth, and wider")
    depression_bright: float = quantity(0.0, "", 0.0, 1.0, "share of them that is bright")
    depression_flat: float = quantity(0.1, "", 0.0, 1.0, "share of them with a flat floor")
    depression_texture: float = quantity(0.0, "", 0.0, 1.0, "share of them in which the lattice stands out")
    other_contrast: float = quantity(
        1.0, "", 0.0, 5.0, "heights of a painted surface after a change of the tip, in parts of those before")


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
    second_apex: str = text("none", "apex of a second tip beside the first, in the same form, or none")
    second_x: float = quantity(10.0, "Å", -100.0, 100.0, "place of the second tip beside the first, along x")
    second_y: float = quantity(0.0, "Å", -100.0, 100.0, "place of the second tip beside the first, along y")
    second_height: float = quantity(
        0.0, "Å", -5.0, 5.0, "how much higher than that of the first the lowest atom of the second tip is")
    changes: float = quantity(
        0.0, "", 0.0, 100.0, "mean number of changes of the tip in a frame, to its other apex and back")
    other_apex: str = text("001-1-OXXX", "apex after a change of the tip, in the same form")
    change_length: float = quantity(0.0, "Å", -5.0, 5.0, "how much longer the tip is with its other apex")

    @field_validator("apex", "second_apex", "other_apex")
    @classmethod
    def _apex_exists(cls, apex, info):
        if apex == "none" and info.field_name == "second_apex":
            return apex
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
    current: float = quantity(100.0, "pA", 0.1, 1e5, "setpoint; it scales the noise of the electronics, not the height")

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
    tip_speed: float = quantity(
        0.0, "Å/s", 0.0, 1e5, "speed along the fast axis, which then sets the line time; 0 leaves it as it is")
    overscan: float = quantity(
        0.0, "", 0.0, 0.5, "share of the width that the tip runs on beyond each end of a line while it turns around")
    retrace: str = option(
        "recorded", ("recorded", "skipped"), "skipped: the tip flies back, its loop on hold, and nothing is recorded")
    fast_axis: str = option("x", ("x", "y"), "axis of the frame along which the lines run")
    fast_direction: str = option(
        "forward", ("forward", "backward"), "whether the trace runs with the fast axis or against it")
    direction: str = option("up", ("up", "down"), "whether the slow axis is scanned upwards or downwards")


class Feedback(Group):
    """The loop that moves the tip to hold the current."""

    form: str = option(
        "position", ("position", "increment", "perfect"),
        "whether the terms of the controller add up to the height, or to its change at each update; perfect: no lag, "
        "no limits and a linear z piezo")
    signal: str = option("log", ("log", "linear"), "error: ln(I / I_set), of a logarithmic amplifier, or I / I_set - 1")
    loop_gain: float = quantity(
        0.3, "", 0.0, 2.5, "share of the height error removed per update: 2 kappa Ki dt, or 2 kappa Kp in the form "
        "increment; 1 = dead-beat, 2 = unstable")
    kp: float = quantity(
        0.0, "Å", 0.0, 5.0, "proportional gain, per unit of error, of the form position; the other one has loop_gain")
    ki: float = quantity(0.0, "Å/s", 0.0, 1e5, "integral gain, per unit of error, of the form increment")
    kd: float = quantity(0.0, "Å s", 0.0, 1.0, "derivative gain, per unit of error")
    window: float = quantity(0.0, "s", 0.0, 1.0, "time over which the form increment integrates; at least one update")
    steps_per_pixel: int = quantity(8, "", 1, 64, "controller updates per pixel")
    sampling_rate: float = quantity(
        0.0, "Hz", 0.0, 1e6, "controller updates per second, rounded to a whole number of 1 to 64 per pixel; "
        "0 leaves steps_per_pixel as it is")
    delay: int = quantity(0, "", 0, 64, "updates by which the reading reaches the controller late")
    preamp_bandwidth: float = quantity(0.0, "Hz", 0.0, 1e6, "of the current amplifier; 0 = unlimited")
    output_bandwidth: float = quantity(0.0, "Hz", 0.0, 1e6, "of the amplifier that drives the z piezo; 0 = unlimited")
    lowest: float = quantity(-1000.0, "Å", -1000.0, 1000.0, "lowest height that the controller may ask for")
    highest: float = quantity(1000.0, "Å", -1000.0, 1000.0, "greatest height that the controller may ask for")
    slew: float = quantity(0.0, "Å/s", 0.0, 1e6, "greatest speed that the controller may ask for; 0 = unlimited")
    step_limit: float = quantity(
        0.0, "", 0.0, 10.0, "longest move per update, in parts of the range of the ideal topograph; 0 = unlimited")


class Piezo(Group):
    """The scanner and what it does besides what was commanded; all displacements count from the start of the frame."""

    drift_x: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along x")
    drift_y: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along y")
    drift_z: float = quantity(0.0, "Å/s", -5.0, 5.0, "velocity of the tip over the sample beyond the command, along z")
    creep: float = quantity(0.0, "", 0.0, 0.2, "share of every move that follows in each decade of time after it")
    creep_time: float = quantity(0.1, "s", 0.001, 100.0, "time from which those decades count")
    offset_x: float = quantity(0.0, "Å", -1e5, 1e5, "move along x that brought the tip to the frame and still creeps")
    offset_y: float = quantity(0.0, "Å", -1e5, 1e5, "move along y that brought the tip to the frame and still creeps")
    offset_z: float = quantity(0.0, "Å", -1e5, 1e5, "move along z that brought the tip to the frame and still creeps")
    wait: float = quantity(10.0, "s", 0.0, 1e5, "time between that move and the start of the frame")
    bend_x: float = quantity(
        0.0, "Å", -20.0, 20.0, "strength b of a displacement b ln(1 + (m - 1) t/T) in a frame of duration T, along x")
    bend_y: float = quantity(0.0, "Å", -20.0, 20.0, "strength of that displacement along y")
    bend_z: float = quantity(0.0, "Å", -20.0, 20.0, "strength of that displacement along z")
    bend_magnitude: float = quantity(10.0, "", 0.01, 1000.0, "m of that displacement; below 1 it is faster at the end")
    hysteresis_x: float = quantity(0.0, "%", 0.0, 40.0, "width of the hysteresis loop along x, of the stroke")
    hysteresis_y: float = quantity(0.0, "%", 0.0, 40.0, "width of the hysteresis loop along y, of the stroke")
    hysteresis_z: float = quantity(0.0, "%", 0.0, 40.0, "width of the hysteresis loop along z, of the stroke")
    hysteresis_a: float = quantity(
        0.0, "", 0.0, 2.0, "A of the Bouc-Wen model of the z piezo; 0 = whatever gives the width asked for")
    hysteresis_beta: float = quantity(0.6, "", 0.01, 5.0, "beta of the Bouc-Wen model of all piezos")
    hysteresis_gamma: float = quantity(0.4, "", 0.0, 5.0, "gamma of the Bouc-Wen model of all piezos")
    hysteresis_range: float = quantity(
        0.0, "Å", 0.0, 1e4, "stroke of z to which A, beta, gamma and the width refer; 0 = the ideal topograph's range")
    jitter_fast: float = quantity(0.0, "Å", 0.0, 5.0, "rms displacement of each line along the fast axis")
    jitter_slow: float = quantity(0.0, "Å", 0.0, 5.0, "rms displacement of each line along the slow axis")
    sensitivity: float = quantity(50.0, "Å/V", 1.0, 1000.0, "nominal calibration of the z piezo")


class Noise(Group):
    """What disturbs the measurement."""

    current: float = quantity(0.02, "", 0.0, 1.0, "relative rms noise of the current at each controller update")
    contrast: float = quantity(
        0.0, "", 0.0, 10.0, "the same, in units of the standard deviation of ln I over the constant-height frame")
    preamp: float = quantity(
        0.0, "GOhm", 0.0, 100.0, "feedback resistor whose Johnson noise counts, and with it shot noise; 0 = neither")
    preamp_temperature: float = quantity(300.0, "K", 0.0, 1000.0, "temperature of that resistor")
    flicker: float = quantity(0.0, "Å", 0.0, 5.0, "rms 1/f noise of the height")
    flicker_exponent: float = quantity(1.0, "", 0.0, 3.0, "alpha of its spectrum 1/f^alpha")
    hum: float = quantity(0.0, "Å", 0.0, 5.0, "amplitude in height of what the mains do")
    hum_frequency: float = quantity(50.0, "Hz", 0.1, 1000.0, "frequency of the mains")
    hum_harmonics: float = quantity(
        0.3, "", 0.0, 1.0, "amplitude of the second harmonic, relative; that of the third is its square")
    spells: float = quantity(
        0.0, "", 0.0, 1000.0, "mean number of restless spells in a frame, to which flicker and hum keep; 0 = always")
    spell_share: float = quantity(0.5, "", 0.01, 1.0, "share of the time that is restless")
    calm: float = quantity(0.2, "", 0.0, 1.0, "strength of flicker and hum between the spells, in parts of that inside")
    wild_lines: float = quantity(0.0, "", 0.0, 1.0, "share of the lines on which flicker and hum are far stronger")
    wild_strength: float = quantity(3.0, "", 1.0, 100.0, "how much stronger they are there")
    line_offset: float = quantity(0.0, "Å", 0.0, 5.0, "rms height by which each line is offset")
    telegraph: float = quantity(0.0, "Å", 0.0, 5.0, "height between two states of the tip that come and go")
    telegraph_rate: float = quantity(1.0, "1/s", 0.0, 1000.0, "mean number of switches between those states")
    spikes: float = quantity(0.0, "1/s", 0.0, 1000.0, "mean number of bursts of current")
    spike_height: float = quantity(2.0, "", -10.0, 10.0, "ln I at the beginning of a burst")
    spike_time: float = quantity(0.005, "s", 1e-5, 1.0, "time in which a burst decays to 1/e")
