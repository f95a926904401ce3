% Drives the client for MATLAB and Octave as clients/contract.toml has it: a line of JSON in, a line out.

1;

function sample = heard(sample, until)
  persistent found
  if ischar(sample)
    [sample, found] = deal(found, {});
    return
  end
  if isfield(sample.data, 'filling')
    sample.data = rmfield(sample.data, 'filling');
  end
  lost = {[], []};
  if isnan(sample.lost)
    lost = {[], 'unknown'};
  elseif sample.lost
    lost = {sample.lost, 'lost'};
  end
  found{end + 1} = [{sample.data, sample.position}, lost];
  if sample.data.n == until
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
      listen = @() state.radio.listen(told.channel, @(sample) heard(sample, told.until), 'timeout', told.seconds, options{:});
      state.positions.(told.channel) = listen();
      result = heard('all', 0);
    case 'publish'
      state.radio.publish(told.channel, told.data);
    case 'call'
      result = state.radio.call(told.procedure, told.args, 'timeout', told.seconds);
      if isstruct(result)
        result = result.args;
      end
  end
end

state = struct('radio', [], 'positions', struct());
while ischar(line = fgetl(stdin))
  told = jsondecode(line, 'makeValidName', false);
  try
    [result, state] = act(told, state);
    answer = struct('ok', {result});
    if iscell(result)
      answer = struct('ok', {{result}});
    end
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
