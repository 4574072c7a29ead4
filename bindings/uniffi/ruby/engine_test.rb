# The engine from Ruby: licenses, counts, reservations, and the README's example.
require "json"
require "minitest/autorun"
require "mintreu"
require "tmpdir"

CASES = JSON.parse(File.read(File.join(ENV.fetch("MINTREU_VECTORS"), "licenses.json")))["cases"]
LASTING = CASES.find { |one| one["name"] == "without end, in the far future" }

class EngineTest < Minitest::Test
  def setup
    @folder = Dir.mktmpdir("mintreu-ruby-")
    options = Mintreu::OpenOptions.new(trust: LASTING["trust"])
    @engine = Mintreu::Engine.open(@folder, options)
  end

  def refused(code, &block)
    assert_equal code, assert_raises(Mintreu::MintreuError::Failed, &block).code
  end

  def test_a_license_opens_features
    refused("not_licensed") { @engine.check("export-4k") }
    @engine.install(LASTING["license"])
    assert @engine.check("export-4k").granted?
    assert_equal 50, @engine.check("projects").units
    assert_equal "eu", @engine.check("region").text
    refused("not_entitled") { @engine.check("teleport") }
    assert_equal "valid", @engine.verdict.code
    assert_empty @engine.recovered
  end

  def test_a_code_asks_for_its_activation_offline
    refused("nothing_to_activate") { @engine.activation_request }
    @engine.install("ACMHG-G20XB-B91JV-M18AA")
    asked = @engine.activation_request
    assert asked.start_with?("MT1-")
    assert_equal asked, @engine.activation_request
  end

  def test_a_seat_that_is_not_held_is_not_given_back_and_the_time_is_asked_for
    refused("nothing_activated") { @engine.deactivate }
    refused("nothing_activated") { @engine.borrow(60) }
    refused("not_licensed") { @engine.activate("lic_00000000000000000000000001") }
    assert @engine.time_request.start_with?("MT1-")
    assert_equal "code", @engine.install("ACMHG-G20XB-B91JV-M18AA")
  end

  def test_a_seller_s_own_key_asks_too_and_a_mistyped_code_does_not
    @engine.exchange(" OLD-KEY-of-another-shop ")
    assert @engine.activation_request.start_with?("MT1-")
    refused("seller_key_malformed") { @engine.exchange("short") }
    refused("code_mistyped") { @engine.install("ACMHG-G20XB-B91JV-M18AB") }
  end

  def test_a_fingerprint_is_counted_and_goes_into_requests
    given = Mintreu.fingerprint("acme.editor", { "pod" => "renderer-0", "empty" => "" })
    assert_equal [1, nil, nil], [given.size, given.kind, given.platform]
    job = Mintreu.host_fingerprint("acme.editor", { "pod" => "renderer-0" }, { "CI" => "true" })
    assert_equal ["ci", "ci", ["pod"]], [job.kind, job.platform, job.components]
    bare = Mintreu.host_fingerprint("acme.editor")
    assert_includes %w[physical virtual container], bare.kind
    requests = [given, nil].map do |known|
      options = Mintreu::OpenOptions.new(trust: LASTING["trust"], fingerprint: known)
      engine = Mintreu::Engine.open(Dir.mktmpdir("mintreu-ruby-"), options)
      engine.install("ACMHG-G20XB-B91JV-M18AA")
      engine.activation_request.length
    end
    assert_operator requests.first, :>, requests.last
  end

  def test_a_host_id_of_ones_own_binds_the_device
    folder = Dir.mktmpdir("mintreu-ruby-")
    opened = lambda do |host|
      options = Mintreu::OpenOptions.new(trust: LASTING["trust"], host_id: host)
      engine = Mintreu::Engine.open(folder, options)
      [engine.device, engine.device_key_protection, engine.recovered]
    end
    device, *rest = opened.call("instance-1")
    assert_equal ["file", []], rest
    GC.start
    copy = Dir.mktmpdir("mintreu-ruby-")
    FileUtils.cp_r(File.join(folder, "."), copy)
    folder = copy
    moved, *rest = opened.call("instance-2")
    refute_equal device, moved
    assert_equal ["file", ["host_changed"]], rest
  end

  def test_a_quota_ends_and_a_reservation_gives_back
    @engine.install(LASTING["license"])
    renders = @engine.meter("renders")
    hold = renders.reserve(400)
    hold.commit(100)
    refused("reservation_over") { hold.commit(1) }
    renders.reserve(300).release
    assert_equal 0, renders.consume(400).remaining
    assert_equal "quota_spent", renders.consume(1).reason
    refused("quota_spent") { renders.reserve(1) }
  end

  def test_counts_are_exact_by_subject_and_dimension
    meter = @engine.meter("api.calls", "customer-7", { "region" => "eu" })
    threads = Array.new(4) { Thread.new { 1000.times { meter.record(1) } } }
    threads.each(&:join)
    usage = @engine.usage.find { |cell| cell.subject == "customer-7" }
    assert_equal({ "region" => "eu" }, usage.dimensions)
    assert_equal [4000, 4000], [usage.counted, meter.counted]
    assert_raises(RangeError) { meter.record(-1) }
  end

  def test_the_example_of_the_readme_runs
    readme = File.read(File.join(__dir__, "..", "README.md"))
    examples = readme.scan(/```ruby\n(.*?)```/m).flatten
    refute_empty examples
    code = examples.join("\n").gsub("TRUST", "trust").gsub('"license-folder"', "folder")
    folder, trust, pasted = Dir.mktmpdir("mintreu-readme-"), LASTING["trust"], LASTING["license"]
    assert_output(/acme\.editor/) { eval(code, binding, "README.md") }
    refute_nil [folder, trust, pasted]
  end
end
