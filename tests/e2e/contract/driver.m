% Drives the client for MATLAB and Octave as clients/contract.toml has it: a line of JSON in, a line out.

1;

function samples = heard(told, newest)
  % Keep a sample; or, without one, give back all.
  persistent found = {};
  samples = found;
  if nargin == 0
    found = {};
    return
  end
  data = told.data;
  if isfield(data, 'filling')
    data = rmfield(data, 'filling');
  end
  if isfield(data, 'array')
    data.array = radiod.decode_array(data.array);
  end
  % jsonencode's null.
  lost = {NaN, NaN};
  if isnan(told.lost)
    lost = {NaN, 'unknown'};
  elseif told.lost
    lost = {told.lost, 'lost'};
  end
  found{end + 1} = {data, told.position, lost{:}};
  if data.n == newest
    error('radiod:stop', 'enough');
  end
end

function [result, state] = act(told, state)
  result = [];
  switch told.do
    case 'connect'
      options = {};
      if isfield(told, 'key')
        options = {'key', told.key.secret};
      end
      state.radio = radiod.Radio(told.url, options{:});
      % Nothing is sent before something is asked.
      state.radio.latest('kept');
    case 'open'
      newest = state.radio.latest(told.channel);
      state.positions.(told.channel) = '';
      if ~isempty(newest)
        state.positions.(told.channel) = newest.position;
      end
    case 'take'
      options = {};
      is_live = isfield(told, 'live');
      if ~is_live && isempty(state.positions.(told.channel))
        options = {'last', 1000};
      elseif ~is_live
        options = {'after', state.positions.(told.channel)};
      end
      listen = @() state.radio.listen(told.channel, @(sample) heard(sample, told.('until')), 'timeout', told.seconds, options{:});
      state.positions.(told.channel) = listen();
      result = heard();
    case 'publish'
      state.radio.publish(told.channel, told.data);
    case 'call'
      result = state.radio.call(told.procedure, told.args, 'timeout', told.seconds);
      if isstruct(result)
        result = result.args;
      end
  end
end

function line = next_line()
  % fgetl waits for the line behind the one that it gives.
  line = '';
  while true
    one = fread(stdin, 1, 'char=>char');
    if isempty(one)
      line = -1;
      return
    elseif one == 10
      return
    end
    line(end + 1) = one;
  end
end

state = struct('radio', [], 'positions', struct());
while true
  line = next_line();
  if ~ischar(line)
    break
  end
  told = jsondecode(line, 'makeValidName', false);
  try
    [result, state] = act(told, state);
    answer = struct('ok', {result});
  catch failure
    kind = strrep(failure.identifier, 'radiod:', '');
    if ~any(strcmp(kind, {'refused', 'timeout', 'disconnected'}))
      kind = 'invalid';
    end
    answer = struct('error', kind, 'text', failure.message);
  end
  printf('%s\n', jsonencode(answer));
  fflush(stdout);
  if strcmp(told.do, 'close')
    break
  end
end
