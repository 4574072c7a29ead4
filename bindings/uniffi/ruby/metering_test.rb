# Quotas, alerts, reservations, events, and counts that survive a power cut, from Ruby.
require "json"
require "minitest/autorun"
require "mintreu"
require "rbconfig"
require "tmpdir"

LICENSES = JSON.parse(File.read(File.join(ENV.fetch("MINTREU_VECTORS"), "licenses.json")))["cases"]

class MeteringTest < Minitest::Test
  ENDLESS = LICENSES.find { |one| one["name"] == "without end, in the far future" }
  ALERTING = LICENSES.find { |one| one["name"] == "alerts" }

  def setup
    @folder = Dir.mktmpdir("mintreu-ruby-")
    @engine = opened(@folder)
  end

  def opened(folder, **more)
    Mintreu::Engine.open(folder, Mintreu::OpenOptions.new(trust: ENDLESS["trust"], **more))
  end

  def refused(code, &block)
    assert_equal code, assert_raises(Mintreu::MintreuError::Failed, &block).code
  end

  # Which of the words the journal holds.
  def on_the_disk(words)
    journal = Dir[File.join(@folder, "journal.db*")].map { |file| File.binread(file) }.join
    words.select { |word| journal.include?(word) }
  end

  def test_a_quota_says_how_it_stands
    assert_empty @engine.quotas
    @engine.install(ENDLESS["license"])
    @engine.consume("renders", 120)
    status = @engine.quotas.first
    assert_equal %w[renders month], [status.meter, status.window]
    assert_equal [500, 120], [status.limit, status.used]
    assert_equal [380, 0, 0], [status.remaining, status.overage, status.credits]
    assert_operator status.resets_at, :>, Time.now.to_i * 1000
    assert_equal status, @engine.quota("renders")
    assert_nil @engine.quota("api.calls")
  end

  def test_an_alert_is_told_once
    options = Mintreu::OpenOptions.new(trust: ALERTING["trust"])
    engine = Mintreu::Engine.open(Dir.mktmpdir("mintreu-ruby-"), options)
    engine.install(ALERTING["license"])
    assert_nil engine.consume("renders", 399).crossed
    assert_empty engine.alerts
    assert_equal 80, engine.consume("renders", 1).crossed
    assert_empty engine.alerts, "it was told in the decision"
    hold = engine.meter("renders").reserve(100)
    told = engine.alerts.map { |alert| [alert.meter, alert.percent, alert.status.remaining] }
    assert_equal [["renders", 100, 0]], told
    assert_empty engine.alerts
    hold.release
  end

  HOLDER = <<~RUBY
    require "mintreu"
    engine = Mintreu::Engine.open(ARGV[0], Mintreu::OpenOptions.new(trust: ARGV[1]))
    hold = engine.meter("renders").reserve(400, 4)
    puts hold.expires_at
    $stdout.flush
    sleep 600
  RUBY

  def test_a_reservation_outlives_its_process_and_ends_by_itself
    @engine.install(ENDLESS["license"])
    paths = $LOAD_PATH.flat_map { |path| ["-I", path.to_s] }
    holder = IO.popen([RbConfig.ruby, *paths, "-e", HOLDER, @folder, ENDLESS["trust"]])
    ends = holder.gets.to_i
    Process.kill("KILL", holder.pid)
    holder.close
    assert_equal 100, @engine.quota("renders").remaining
    assert_equal "quota_spent", @engine.consume("renders", 101).reason
    now = (Time.now.to_f * 1000).to_i
    assert_operator now, :<, ends, "the machine was too slow for this test"
    sleep((ends - now) / 1000.0 + 0.1)
    assert @engine.consume("renders", 500).granted
    refute @engine.consume("renders", 1).granted
  end

  def test_a_reservation_says_what_it_holds_and_until_when
    @engine.install(ENDLESS["license"])
    hold = @engine.meter("renders").reserve(300, 60)
    assert_in_delta 60, hold.expires_at / 1000.0 - Time.now.to_f, 10
    assert_equal [300, 200], [hold.units, @engine.quota("renders").remaining]
    refused("quota_spent") { @engine.meter("renders").reserve(201, 60) }
    hold.commit(10)
    assert_equal 490, @engine.quota("renders").remaining
  end

  def test_an_event_is_kept_once_by_its_id
    job = { id: "job-81", meter: "renders", value: "12.75" }
    @engine.record_events([Mintreu::Event.new(**job, subject: "told-first")])
    another = Mintreu::Event.new(**job, id: "job-82", subject: "another", at: 1_800_000_000_000)
    @engine.record_events([Mintreu::Event.new(**job, subject: "told-again"), another])
    jobs = @engine.meter("jobs")
    jobs.event("job-1")
    jobs.event("job-2", "-0.5")
    words = %w[told-first told-again another job-1 job-2 job-3]
    assert_equal %w[told-first another job-1 job-2], on_the_disk(words)
    assert_equal 0, jobs.counted
  end

  def test_what_is_no_event_is_refused_and_nothing_of_its_batch_is_kept
    jobs = @engine.meter("jobs")
    ["", "x" * 65].each { |id| refused("event_id_invalid") { jobs.event(id) } }
    ["1e3", "many", ""].each { |value| refused("decimal_invalid") { jobs.event("job", value) } }
    events = ["job-late", ""].map { |id| Mintreu::Event.new(id: id, meter: "jobs") }
    refused("event_id_invalid") { @engine.record_events(events) }
    assert_empty on_the_disk(["job-late"])
  end

  def test_power_outlives_the_counter_file_and_process_does_not
    tokens = @engine.meter("tokens", nil, nil, Mintreu::Durability::POWER)
    calls = @engine.meter("calls")
    assert_equal Mintreu::Durability::POWER, tokens.durability
    assert_equal Mintreu::Durability::PROCESS, calls.durability
    tokens.record(40)
    tokens.record_batch([1, 1])
    counts = [[tokens, 3], [calls, 9]].map { |meter, n| Mintreu::Count.new(meter: meter, n: n) }
    @engine.record_batch(counts)
    assert_equal [45, 9], [tokens.counted, calls.counted]
    # The engine is still open here: what a cut leaves is the journal without the counters.
    copy = Dir.mktmpdir("mintreu-ruby-")
    FileUtils.cp_r(File.join(@folder, "."), copy)
    File.delete(File.join(copy, "counters"))
    again = opened(copy)
    assert_equal ["cell_behind"], again.recovered
    assert_equal [45, 0], %w[tokens calls].map { |name| again.meter(name).counted }
  end

  def test_a_pace_of_ones_own_and_how_long_to_wait
    pace = Mintreu::Pace.new(flush_ms: 0, seal_ms: 500)
    engine = opened(Dir.mktmpdir("mintreu-ruby-"), pace: pace)
    engine.record("calls", 3)
    engine.flush
    refute engine.seal_when_due, "nothing is sealed before a seat is taken"
    assert_empty engine.checkpoints
    assert_equal 30_000, Mintreu.retry_after("30", 1, 0)
    assert_equal 1_000, Mintreu.retry_after("tomorrow", 1, 0)
    assert_includes 3_600_000..5_400_000, Mintreu.retry_after(nil, 100, rand(2**32))
    assert_raises(RangeError) { Mintreu.retry_after(nil, -1, 0) }
  end
end
